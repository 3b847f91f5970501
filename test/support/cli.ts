import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const BIN = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));

/** How the command line is run. */
export interface CliOptions {
  /** The working folder. */
  cwd: string;
  /** Added to an environment that has only PATH and HOME. */
  env?: Record<string, string>;
  /** The user that runs it, with the group of that number. */
  uid?: number | undefined;
  /** What a shell does first, such as `umask 000`. */
  before?: string | undefined;
  /** Standard input. */
  input?: AsyncIterable<Uint8Array>;
  /** Where standard output goes instead of the result, as a file descriptor. */
  stdout?: number;
  /** Called with the process, to interrupt it. */
  onStart?: (child: ChildProcess) => void;
}

/** How it ended. */
export interface CliResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the built command line in a process of its own. */
export async function drayage(args: readonly string[], options: CliOptions): Promise<CliResult> {
  const { PATH = '', HOME = '' } = process.env;
  const node = [process.execPath, BIN, ...args];
  const { before } = options;
  const [program = '', ...all] =
    before === undefined ? node : ['/bin/sh', '-c', `${before} && exec "$@"`, 'sh', ...node];
  const child = spawn(program, all, {
    cwd: options.cwd,
    env: { PATH, HOME, ...options.env },
    uid: options.uid,
    gid: options.uid,
    stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
  });
  options.onStart?.(child);
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code));
  });
  const fed = child.stdin === null ? undefined : pipeline(options.input ?? [], child.stdin).catch(() => {});
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr), fed]);
  return { code, stdout, stderr };
}

/** Runs a command with `--json`, expects it to succeed, and gives its document. */
export async function drayageJson<T>(args: readonly string[], options: CliOptions): Promise<T> {
  const { code, stdout, stderr } = await drayage([...args, '--json'], options);
  if (code !== 0) throw new Error(`drayage ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as T;
}

async function text(stream: Readable | null): Promise<string> {
  if (stream === null) return '';
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
