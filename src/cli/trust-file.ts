import { createHash } from 'node:crypto';
import { readlink, realpath, stat } from 'node:fs/promises';
import { isAbsolute, join, parse, resolve, sep } from 'node:path';
import { lookAtLink } from '../disk/look-at.ts';
import { isBelow, Mounts } from '../disk/mounts.ts';
import { DrayageError } from '../index.ts';
import { unlessAbsent } from '../system-error.ts';
import { isPrintable } from '../text/printable.ts';
import { shellWord } from '../text/shell-word.ts';
import { ciOf, workspaceOf } from './ci.ts';
import type { Context } from './context.ts';
import { readGiven } from './given-file.ts';
import { isText } from './given-text.ts';
import type { GivenPlace } from './interpret-given.ts';

/** An option that names what is trusted: keys, roots. */
export interface TrustOption {
  /** The option, for messages: `--key`. */
  option: string;
  /** What it holds, for messages: `the public key`. */
  what: string;
  /** A private key may be given by mistake: it is not printed. Default false. */
  isSecret?: boolean;
}

/** The maximum number of links on the way to a file, as in Linux. */
const MAX_LINKS = 40;

/** `FILE@sha256:HEX`. */
const WITH_DIGEST = /^(.+)@sha256:([0-9a-f]{64})$/s;

/**
 * Reads what is trusted: text in the option itself (PEM or JSON), `FILE`, or `FILE@sha256:HEX` with the digest that the
 * file must have. In a job, a file in the workspace needs its digest: the runner unpacks artifacts of other jobs there,
 * so anybody of them may have replaced it. Links, mounts and other names of a file do not hide where it is.
 * @throws {@link DrayageError} `UNSAFE` for a file in the workspace without a digest; `DIGEST_MISMATCH`, `NOT_FOUND`,
 * `IO`, `LIMIT`; `USAGE` for a malformed digest
 */
export async function readTrustFile(
  given: string,
  { option, what, isSecret }: TrustOption,
  { env }: Pick<Context, 'env'>,
): Promise<Buffer> {
  if (isText(given)) return Buffer.from(given);
  const [, path = given, expected] = WITH_DIGEST.exec(given) ?? [];
  if (expected === undefined && given.includes('@sha256:')) throw noDigest(given, option);
  const bytes = await readGiven(path, what, { isSecret });
  const actual = createHash('sha256').update(bytes).digest('hex');
  if (expected !== undefined && expected !== actual) {
    throw new DrayageError(
      'DIGEST_MISMATCH',
      `${what} ${path} has the digest sha256:${actual}, not the expected one`,
      {
        path,
        expected: `sha256:${expected}`,
        actual: `sha256:${actual}`,
        hint: 'somebody has replaced the file, or the digest is that of an earlier version',
      },
    );
  }
  if (expected === undefined && (await mayBeReplaced(path, env)))
    throw untrusted(path, `${option} ${shellWord(`${path}@sha256:${actual}`)}`, what);
  return bytes;
}

/** Where it is, for errors about its content. */
export function placeOfTrust(given: string, { option }: TrustOption): GivenPlace {
  return { option, path: isText(given) ? undefined : (WITH_DIGEST.exec(given)?.[1] ?? given) };
}

/** Another spelling is no name of a file: then nothing would be checked. */
function noDigest(given: string, option: string): DrayageError {
  return new DrayageError('USAGE', `${given} does not end with the digest of a file`, {
    actual: given,
    hint: `write ${option} FILE@sha256: and 64 digits, 0-9 and a-f`,
  });
}

function untrusted(path: string, accepted: string, what: string): DrayageError {
  const safe = 'use a variable of type File';
  return new DrayageError(
    'UNSAFE',
    `${what} ${path} is in the workspace, where an artifact may have replaced it`,
    {
      path,
      hint: isPrintable(path)
        ? `${safe}, or name the digest of the file that you checked: ${accepted}`
        : safe,
    },
  );
}

/** Whether a job's artifacts could replace a file, or a link on the way to it. */
async function mayBeReplaced(path: string, env: Context['env']): Promise<boolean> {
  if (ciOf(env) === undefined) return false;
  const named = workspaceOf(env);
  const real =
    named === undefined
      ? undefined
      : await unlessAbsent(realpath(named), `cannot look at ${named}`, { path: named });
  // Without a folder of that name, the job's workspace is mounted elsewhere.
  const roots =
    real === undefined || named === undefined ? [await realpath('.'), resolve()] : [real, resolve(named)];
  // The workspace itself is no step that an artifact could replace: `../key.pub` leads out of it.
  const steps = (await stepsTo(path)).filter((step) => !roots.includes(step));
  if ([resolve(path), ...steps].some((step) => roots.some((root) => isBelow(step, root)))) return true;
  const [root = ''] = roots;
  const mounts = await Mounts.read();
  return steps.some((step) => mounts.isIn(step, root)) || (await mayHaveNameIn(root, path));
}

/** Whether a file has further names, and one of them may be in a folder: hard links are within one device. */
async function mayHaveNameIn(folder: string, path: string): Promise<boolean> {
  const [file, { dev }] = await Promise.all([stat(path), stat(folder)]);
  return file.isFile() && file.nlink > 1 && file.dev === dev;
}

/**
 * Every folder and link that leads to a file, each without links before it, and the file. As for the system, `..` is
 * the folder above what a link leads to.
 */
async function stepsTo(path: string): Promise<string[]> {
  const { root } = parse(resolve());
  const steps: string[] = [];
  let names = namesIn(isAbsolute(path) ? path : `${resolve()}${sep}${path}`);
  let folder = root;
  for (let links = 0; names.length > 0;) {
    const [name = '', ...rest] = names;
    const step = join(folder, name);
    steps.push(step);
    const target = await targetOf(step);
    if (target !== undefined && links++ < MAX_LINKS) {
      names = [...namesIn(target), ...rest];
      if (isAbsolute(target)) folder = root;
    } else {
      names = rest;
      folder = step;
    }
  }
  return steps;
}

/** What a link leads to; undefined if the path is none. */
async function targetOf(path: string): Promise<string | undefined> {
  const stats = await lookAtLink(path);
  return stats?.isSymbolicLink() === true ? readlink(path) : undefined;
}

function namesIn(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep)
    .filter((name) => name !== '' && name !== '.');
}
