/** Runs a program and collects its output. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface CommandOptions {
  /** What the command reads from its standard input; default: nothing. */
  readonly input?: string | Buffer | Readable;
  /** Its environment; for a docker client, what is added to it: `{ DOCKER_BUILDKIT: '1' }`. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** The exit code; 1 when a signal ended it. */
  readonly code: number;
}

/** Runs `command` to its end. A bad exit code is a result, not an error. */
export async function run(
  command: string,
  args: readonly string[],
  { input, env = {} }: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  const closed = once(child, 'close');
  // A command that ends without reading all of its input is judged by its exit code.
  const fed = pipeline(toReadable(input), child.stdin).catch(() => {});
  await closed;
  await fed;
  return {
    stdout: Buffer.concat(stdout).toString(),
    stderr: Buffer.concat(stderr).toString(),
    code: child.exitCode ?? 1,
  };
}

function toReadable(input: CommandOptions['input']): Readable {
  if (input instanceof Readable) return input;
  return Readable.from(input === undefined ? [] : [input]);
}
