import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Digest } from '../oci/digest.ts';
import { parseDigest } from '../oci/digest.ts';

/**
 * Hashes open files on request, one after the other. File descriptors belong to the whole process, so that a file which was
 * opened with care need not be opened again. In a string, since only so it survives every bundler; hence also
 * `getBuiltinModule` instead of imports.
 */
const HASHER = `
const { parentPort } = process.getBuiltinModule('node:worker_threads');
const { createHash } = process.getBuiltinModule('node:crypto');
const { readSync } = process.getBuiltinModule('node:fs');
const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
parentPort.on('message', (fd) => {
  const hash = createHash('sha256');
  let read = 0;
  for (let at = 0; (read = readSync(fd, buffer, 0, buffer.length, at)) > 0; at += read) hash.update(buffer.subarray(0, read));
  parentPort.postMessage('sha256:' + hash.digest('hex'));
});
`;

/** Threads that hash files: hashing is bound by the processor, and one thread uses one core. */
export class HashPool implements AsyncDisposable {
  /** How many files are worth hashing at once: as many as there are cores. */
  static readonly width: number = availableParallelism();
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  /**
   * The sha256 of an open file, from its first byte to its last. It rejects with whatever went wrong in the thread, also
   * when the pool is disposed of: nothing reads from the file any more then.
   */
  async hash(fd: number): Promise<Digest> {
    const worker = this.#idle.pop() ?? this.#start();
    const answer = await ask(worker, fd);
    this.#idle.push(worker);
    return parseDigest(answer);
  }

  /** Ends all threads, whatever they are at. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map(async (worker) => worker.terminate()));
  }

  #start(): Worker {
    const worker = new Worker(HASHER, { eval: true, execArgv: [], name: 'drayage-hash' });
    this.#all.add(worker);
    return worker;
  }
}

async function ask(worker: Worker, fd: number): Promise<string> {
  let onExit: (() => void) | undefined;
  let onError: ((error: unknown) => void) | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      onError = reject;
      onExit = () => reject(new Error('the thread was ended'));
      worker.once('message', resolve).once('error', onError).once('exit', onExit);
      worker.postMessage(fd);
    });
  } finally {
    if (onError !== undefined) worker.off('error', onError);
    if (onExit !== undefined) worker.off('exit', onExit);
  }
}
