import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import type { ImageVariables } from '../index.ts';
import { formatVariables, isImageVariable } from '../index.ts';
import { ciOf } from './ci.ts';
import type { Context } from './context.ts';
import { assertWritable, writeFileWhole } from './output-file.ts';

/**
 * Writes the variables of images to a file, for docker compose and shells. The file may hold more: its other lines and
 * its mode stay, and the variables of images, which an earlier load may have written, are replaced. A file that the CI
 * reads and that steps may only add to, such as `$GITHUB_ENV`, keeps every line.
 * @throws {@link DrayageError} `LINK`, `IO`, `USAGE`
 */
export async function writeDotenvFile(
  path: string,
  { references, ids, digests }: ImageVariables,
  { signal, env }: Pick<Context, 'signal' | 'env'>,
): Promise<void> {
  const lines = formatVariables([...references, ...ids, ...digests]);
  if (appendedFiles(env).includes(resolve(path))) return appendLines(path, lines, signal);
  const { text, mode } = await readExisting(path);
  const kept = linesOfOthers(text, new Set(lines.split('\n').map((line) => line.split('=')[0] ?? '')));
  await writeBelow(path, { kept, mode }, lines, signal);
}

/** The files that a CI reads, and that steps may only add to. */
function appendedFiles(env: Context['env']): string[] {
  const ci = ciOf(env);
  return [ci?.outputFile?.(env) ?? [], ...(ci?.appendedFiles?.(env) ?? [])]
    .flat()
    .map((file) => resolve(file));
}

/**
 * Adds lines to a file that a CI reads, and in which the last value of a variable counts. Every other line stays: such a
 * file may hold values of several lines.
 * @throws {@link DrayageError} `LINK`, `IO`, `USAGE`
 */
export async function appendLines(path: string, lines: string, signal: AbortSignal): Promise<void> {
  const { text, mode } = await readExisting(path);
  await writeBelow(path, { kept: text, mode }, lines, signal);
}

/** Writes a file of lines that stay, and of new ones. */
async function writeBelow(
  path: string,
  { kept, mode }: { kept: string; mode: number | undefined },
  lines: string,
  signal: AbortSignal,
): Promise<void> {
  const end = kept === '' || kept.endsWith('\n') ? '' : '\n';
  // One byte is one character, so that lines in any encoding stay as they are.
  const bytes = Buffer.concat([Buffer.from(`${kept}${end}`, 'latin1'), Buffer.from(lines)]);
  await writeFileWhole(path, Readable.from([bytes]), signal, mode);
}

/**
 * Whether {@link writeDotenvFile} and {@link appendLines} could write there.
 * @throws {@link DrayageError} `LINK`, `IO`, `USAGE`, `NOT_FOUND`
 */
export async function checkDotenvFile(path: string): Promise<void> {
  await assertWritable(path);
  await readExisting(path);
}

async function readExisting(path: string): Promise<{ text: string; mode?: number }> {
  const { readOwnFile } = await import('./own-file.ts');
  const file = await readOwnFile(path);
  return file === undefined ? { text: '' } : { text: file.bytes.toString('latin1'), mode: file.mode };
}

/** The lines that this load does not replace. */
function linesOfOthers(text: string, replaced: ReadonlySet<string>): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const kept = lines.filter((line) => {
    const key = /^\s*(?:export\s+)?(\w+)\s*=/.exec(line)?.[1];
    return key === undefined || !(isImageVariable(key) || replaced.has(key));
  });
  return kept.join('');
}
