import { spawn } from 'node:child_process';
import * as v from 'valibot';
import type { ContentOptions } from '../content/source.ts';
import { asError, DrayageError } from '../errors.ts';
import { parseJson } from '../oci/json.ts';
import { goObject } from '../oci/go-object.ts';
import { textSchema } from '../oci/parse.ts';
import { eitherSignal } from '../stream/signals.ts';
import { fileError, isNoFile } from '../system-error.ts';
import { shellWord } from '../text/shell-word.ts';

/** How to run a helper. */
export interface HelperOptions extends ContentOptions {
  /** Its environment. Default: that of this process. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** How long it may take, in milliseconds. Default 30 seconds. */
  helperTimeout?: number | undefined;
}

const DEFAULT_TIMEOUT = 30_000;
/** The longest answer that is read, in bytes. */
const MAX_ANSWER = 256 * 1024;
/** The answer of helpers for an unknown registry (docker-credential-helpers, credentials/error.go). */
const NOT_FOUND = /credentials not found/i;

const answerSchema = goObject({ Username: textSchema, Secret: textSchema });

/**
 * Asks `docker-credential-<name>` for the credential of a registry, as docker does. Errors never contain the program's
 * output.
 * @returns undefined if it has none
 * @throws {@link DrayageError} `NOT_FOUND` if there is no such program, `IO` if it cannot be run; `UNREACHABLE` if it fails; `TIMEOUT`, `USAGE`
 */
export async function askCredentialHelper(
  name: string,
  server: string,
  options: HelperOptions = {},
): Promise<{ username: string; secret: string } | undefined> {
  if (!/^[\w.-]+$/.test(name)) {
    throw new DrayageError(
      'USAGE',
      `not the name of a credential helper: ${JSON.stringify(name.slice(0, 100))}`,
    );
  }
  const program = `docker-credential-${name}`;
  const { code, output } = await run(program, server, options);
  if (code !== 0 && NOT_FOUND.test(output)) return undefined;
  const answer = code === 0 ? v.safeParse(answerSchema, parse(output)) : undefined;
  if (answer?.success !== true) {
    const what = code === 0 ? 'gives an answer of another form' : `fails (exit code ${code ?? 'none'})`;
    throw new DrayageError('UNREACHABLE', `${program} ${what} when asked for ${server}`, {
      hint: `try it: echo ${shellWord(server)} | ${shellWord(program)} get`,
    });
  }
  const { Username: username, Secret: secret } = answer.output;
  return secret === '' ? undefined : { username, secret };
}

function parse(text: string): unknown {
  try {
    return parseJson(Buffer.from(text), 'the answer');
  } catch {
    return undefined;
  }
}

async function run(
  program: string,
  input: string,
  { env, signal, helperTimeout = DEFAULT_TIMEOUT }: HelperOptions,
): Promise<{ code: number | null; output: string }> {
  signal?.throwIfAborted();
  const over = AbortSignal.timeout(helperTimeout);
  const stop = eitherSignal(signal, over);
  const child = spawn(program, ['get'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    signal: stop,
    ...(env && { env: { ...env } }),
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    if (output.length < MAX_ANSWER) output += chunk.toString();
  });
  // The program may end without reading its input.
  child.stdin.on('error', () => undefined).end(input);
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
      // Once the program has ended, its own signal does nothing, and what it started may still hold its output.
      stop.addEventListener('abort', () => reject(asError(stop.reason)), { once: true });
    });
    return { code, output };
  } catch (cause) {
    signal?.throwIfAborted();
    if (over.aborted) throw new DrayageError('TIMEOUT', `${program} did not answer for ${input}`, { cause });
    const hint =
      "docker's config.json names it (credsStore, credHelpers): install it, or take its name out there";
    throw fileError(cause, `${program} cannot be run`, { hint: isNoFile(cause) ? hint : undefined });
  } finally {
    // Otherwise what the program started would keep this process alive.
    for (const stream of [child.stdin, child.stdout]) stream.destroy();
  }
}
