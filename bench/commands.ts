/** Command lines of ours and of the naive Node version, and what they left. */
import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FakeGitLab } from '../test/support/fake-gitlab.ts';
import { JOB_TOKEN } from '../test/support/fake-gitlab.ts';
import type { Lab } from './lab.ts';

export type Codec = 'none' | 'gzip' | 'zstd';

const DRAYAGE = quote(fileURLToPath(new URL('../dist/cli/bin.js', import.meta.url)));
const NAIVE_SAVE = quote(fileURLToPath(new URL('contenders/naive-save.mjs', import.meta.url)));
const LIBRARY_SAVE = quote(fileURLToPath(new URL('contenders/library-save.mjs', import.meta.url)));
const NAIVE_LOAD = quote(fileURLToPath(new URL('contenders/naive-load.mjs', import.meta.url)));

/** A word for bash. */
function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** The Node to use for a codec: only newer ones have zstd built in. */
export function nodeFor(codec: Codec, lab: Lab): string {
  return codec === 'zstd' ? lab.node24 : lab.node;
}

/** `node drayage save …`, into the layout `out`. */
export function ourSave(codec: Codec, args: string, out: string, lab: Lab, flags = ''): string {
  return `${quote(nodeFor(codec, lab))} ${flags} ${DRAYAGE} save ${args} --compress ${codec} --out ${out} --json`;
}

/** `node drayage save …` of what a builder wrote into the layout `out`. */
export function ourAdopt(args: string, out: string, lab: Lab): string {
  return `${quote(lab.node24)} ${DRAYAGE} save --from ${out} --out ${out} ${args} --json`;
}

/** `node drayage load …`. */
export function ourLoad(node: string, args: string): string {
  return `${quote(node)} ${DRAYAGE} load ${args} --json`;
}

/** `node drayage promote …`, with the Node that the codec needs elsewhere, too. */
export function ourPromote(codec: Codec, args: string, lab: Lab): string {
  return `${quote(nodeFor(codec, lab))} ${DRAYAGE} promote ${args} --json`;
}

export function ourFetch(node: string, args: string): string {
  return `${quote(node)} ${DRAYAGE} fetch ${args} --json`;
}

/** A command of a job: the variables of its GitLab come first. */
export function inJob(command: string, { url }: FakeGitLab): string {
  return `CI_API_V4_URL=${url} CI_JOB_TOKEN=${JOB_TOKEN} CI_PROJECT_ID=12 ${command}`;
}

/** The same save of an archive by the library. */
export function librarySave(codec: Codec, archive: string, out: string, lab: Lab): string {
  return `${quote(nodeFor(codec, lab))} ${LIBRARY_SAVE} ${codec} ${archive} ${out}`;
}

/** Saves from an archive, or from a socket's daemon, into the folder `out`. */
export function naiveSave(codec: Codec, args: string, out: string, lab: Lab): string {
  return `${quote(nodeFor(codec, lab))} ${NAIVE_SAVE} ${codec} ${out} ${args}`;
}

/** Loads a layout with gzip layers into a socket's daemon. */
export function naiveLoad(layout: string, socket: string, lab: Lab): string {
  return `${quote(lab.node)} ${NAIVE_LOAD} ${layout} ${socket}`;
}

/** Bytes of a file, or of all files below a folder. */
export async function bytesOf(path: string): Promise<number> {
  if (!(await stat(path)).isDirectory()) return (await stat(path)).size;
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((total, size) => total + size, 0);
}

/** For `before`: nothing lies at the path. */
export function clear(path: string): () => Promise<void> {
  return async () => rm(path, { recursive: true, force: true });
}
