/** Measures one command as the system saw it: wall time, CPU of all its processes, peak memory. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** What a command cost. */
export interface Cost {
  /** From before it started until it had ended; the start of node is in it. */
  seconds: number;
  /** User and system time of the command and of all that it started and waited for. */
  cpuSeconds: number;
  /** Peak resident bytes of the largest of its processes. */
  peakMemory: number;
}

export interface MeasureOptions {
  /** A folder for the stop-watch's notes. */
  folder: string;
  /** The whole environment of the command. */
  env: Readonly<Record<string, string>>;
  /** What the command reads from its standard input; default: nothing. */
  input?: Readable;
  /** Seconds after which it has failed; default: as long as it takes. */
  limit?: number;
  signal?: AbortSignal;
}

const STOP_WATCH = '/usr/bin/time';

/**
 * Runs a bash command line to its end; a failure anywhere in its pipes is a failure.
 * @throws {Error} When it fails, with the end of what it said, or takes longer than the limit; or the signal's reason, with all of it killed.
 */
export async function measure(
  command: string,
  { folder, env, input, limit, signal }: MeasureOptions,
): Promise<Cost & { stdout: string }> {
  const notes = join(folder, 'time');
  const args = ['--quiet', '--format=%U %S %M', `--output=${notes}`];
  const start = performance.now();
  const child = spawn(STOP_WATCH, [...args, 'bash', '-c', `set -o pipefail; ${command}`], {
    cwd: folder,
    detached: true,
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  // Its own process group, so that a pipe of many programs ends with one signal.
  const stop = (): void => void (child.pid !== undefined && killGroup(child.pid));
  signal?.addEventListener('abort', stop);
  let late = false;
  const tooLate = (): void => {
    late = true;
    stop();
  };
  const timer = limit === undefined ? undefined : setTimeout(tooLate, limit * 1000);
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr
    .setEncoding('utf8')
    .on('data', (text: string) => (said.stderr = (said.stderr + text).slice(-2000)));
  const fed = pipeline(input ?? [], child.stdin).catch(() => {});
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).finally(() => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  });
  const seconds = (performance.now() - start) / 1000;
  await fed;
  signal?.throwIfAborted();
  if (late) throw new Error(`took longer than ${limit} s`);
  if (code !== 0) throw new Error(`ended with ${code}: ${(said.stderr + said.stdout).trim().slice(-2000)}`);
  return { seconds, ...parseNotes(await readFile(notes, 'utf8')), stdout: said.stdout };
}

/**
 * Reads what the stop-watch wrote: user seconds, system seconds, peak kilobytes.
 * @throws {Error} When it wrote something else.
 */
export function parseNotes(text: string): Pick<Cost, 'cpuSeconds' | 'peakMemory'> {
  const match = /^([\d.]+) ([\d.]+) (\d+)$/.exec(text.trim());
  if (match === null) throw new Error(`the stop-watch wrote ${JSON.stringify(text)}`);
  const [user, system, kilobytes] = match.slice(1).map(Number);
  return { cpuSeconds: (user ?? 0) + (system ?? 0), peakMemory: (kilobytes ?? 0) * 1024 };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
