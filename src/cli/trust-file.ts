import { createHash } from 'node:crypto';
import { readlink, realpath } from 'node:fs/promises';
import { join, parse, resolve, sep } from 'node:path';
import { DrayageError } from '../index.ts';
import { isPrintable } from '../text/printable.ts';
import { shellWord } from '../text/shell-word.ts';
import { ciOf } from './ci.ts';
import type { Context } from './context.ts';
import { readGiven } from './given-file.ts';

/** An option that names what is trusted: keys, roots. */
export interface TrustOption {
  /** The option, for messages: `--key`. */
  option: string;
  /** What it holds, for messages: `the public key`. */
  what: string;
}

/** The maximum number of links on the way to a file, as in Linux. */
const MAX_LINKS = 40;

/**
 * Reads what is trusted: text in the option itself (PEM or JSON), `FILE`, or `FILE@sha256:HEX` with the digest that the
 * file must have. In a job, a file in the workspace needs its digest: the runner unpacks artifacts of other jobs there,
 * so anybody of them may have replaced it.
 * @throws {@link DrayageError} `UNSAFE` for a file in the workspace without a digest; `DIGEST_MISMATCH`, `NOT_FOUND`,
 * `IO`
 */
export async function readTrustFile(
  given: string,
  { option, what }: TrustOption,
  { env }: Pick<Context, 'env'>,
): Promise<Buffer> {
  if (/-----BEGIN |^\s*\{/.test(given)) return Buffer.from(given);
  const [, path = given, expected] = /^(.+)@sha256:([0-9a-f]{64})$/s.exec(given) ?? [];
  const bytes = await readGiven(path, what);
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
  if (expected === undefined && (await isInWorkspace(path, env)))
    throw untrusted(path, `${option} ${shellWord(`${path}@sha256:${actual}`)}`, what);
  return bytes;
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
async function isInWorkspace(path: string, env: Context['env']): Promise<boolean> {
  const ci = ciOf(env);
  if (ci === undefined) return false;
  const named = ci.workspace?.(env);
  const real = named === undefined ? undefined : await realpath(named).catch(() => undefined);
  // Without a folder of that name, the job's workspace is mounted elsewhere.
  const roots =
    real === undefined || named === undefined ? [await realpath('.'), resolve()] : [real, resolve(named)];
  const steps = [resolve(path), ...(await stepsTo(resolve(path)))];
  return steps.some((step) => roots.some((root) => step === root || step.startsWith(withSeparator(root))));
}

function withSeparator(folder: string): string {
  return folder.endsWith(sep) ? folder : folder + sep;
}

/** Every folder and link that leads to a file, each without links before it, and the file. */
async function stepsTo(path: string): Promise<string[]> {
  const { root } = parse(path);
  const steps: string[] = [];
  let names = namesIn(path);
  let folder = root;
  for (let links = 0; names.length > 0;) {
    const [name = '', ...rest] = names;
    const step = join(folder, name);
    steps.push(step);
    const target = await readlink(step).catch(() => undefined);
    if (target !== undefined && links++ < MAX_LINKS) {
      names = [...namesIn(resolve(folder, target)), ...rest];
      folder = root;
    } else {
      names = rest;
      folder = step;
    }
  }
  return steps;
}

function namesIn(path: string): string[] {
  return path
    .slice(parse(path).root.length)
    .split(sep)
    .filter((name) => name !== '');
}
