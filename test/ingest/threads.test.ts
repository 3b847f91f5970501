import { execFile } from 'node:child_process';
import { appendFile, open, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { build } from 'rolldown';
import { afterEach, expect, test, vi } from 'vitest';
import { BlockHash, fileDigesters } from '../../src/ingest/hash.ts';
import { Thread } from '../../src/ingest/thread.ts';
import { ThreadPool, Threads } from '../../src/ingest/threads.ts';
import { digestHex, digestOf } from '../../src/oci/digest.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const BLOCK = Buffer.alloc(1024 * 1024, 'block');
const started: Thread[] = [];

function start(source?: string): Thread {
  const thread = new Thread(source);
  started.push(thread);
  return thread;
}

function threads(max: number, source?: string): Threads {
  return new Threads(max, new ThreadPool(() => start(source)));
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((thread) => thread.end(new Error('the test is over'))));
});

test('blocks of several layers are hashed at a time, each layer by itself', async () => {
  const pool = threads(2);
  const hashes = Array.from({ length: 5 }, () => new BlockHash(pool));
  await Promise.all(hashes.flatMap((hash, i) => Array.from({ length: i }, () => hash.update(BLOCK))));
  expect(await Promise.all(hashes.map((hash) => hash.digest()))).toEqual(
    hashes.map((_, i) => digestOf(Buffer.concat(Array.from({ length: i }, () => BLOCK)))),
  );
  expect(started).toHaveLength(2);
});

test('what is less than a megabyte starts no thread', async () => {
  const hash = new BlockHash(threads(2));
  await hash.update(BLOCK.subarray(1));
  expect(await hash.digest()).toBe(digestOf(BLOCK.subarray(1)));
  expect(started).toEqual([]);
});

test('a thread is free again when its hash is over, or given up', async () => {
  const pool = threads(4);
  for (const end of ['digest', 'drop', 'digest'] as const) {
    const hash = new BlockHash(pool);
    await hash.update(BLOCK);
    await hash[end]();
  }
  expect(started).toHaveLength(1);
});

test('a file is hashed while it grows', async () => {
  const path = join(await temporaryFolder(), 'file');
  const digester = fileDigesters(threads(2))(path);
  for (let size = 0; size < 3 * BLOCK.length; size += BLOCK.length) {
    await appendFile(path, BLOCK);
    digester.grown(size + BLOCK.length);
  }
  expect(await digester.digest()).toBe(digestOf(Buffer.concat([BLOCK, BLOCK, BLOCK])));
});

test('an open file is hashed where it was opened, whatever its path means by now, and stays open', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, 'opened');
  await using handle = await open(path);
  await rm(path);
  await writeFile(path, 'planted');
  const digester = fileDigesters(threads(2))(handle.fd);
  digester.grown(6);
  expect(await digester.digest()).toBe(digestOf(Buffer.from('opened')));
  expect(await handle.readFile('utf8')).toBe('opened');
});

test('a file that is shorter than it is said to be is an error, and the thread goes on', async () => {
  const path = join(await temporaryFolder(), 'file');
  await writeFile(path, 'short');
  const pool = threads(1);
  const digester = fileDigesters(pool)(path);
  digester.grown(6);
  await expect(digester.digest()).rejects.toMatchObject({ code: 'IO' });
  const again = fileDigesters(pool)(path);
  again.grown(5);
  expect(await again.digest()).toBe(digestOf(Buffer.from('short')));
});

test('a file that is not there is an error', async () => {
  const digester = fileDigesters(threads(1))(join(await temporaryFolder(), 'none'));
  digester.grown(1);
  await expect(digester.digest()).rejects.toMatchObject({
    code: 'IO',
    message: expect.stringContaining('ENOENT'),
  });
});

test.each([
  ['ends', 'process.exit(3)'],
  ['throws', 'throw new Error("broken")'],
  [
    'ends while it works',
    `process.getBuiltinModule('node:worker_threads').parentPort.on('message', () => process.exit(3))`,
  ],
  ['does not compile', 'syntax error'],
])('a thread that %s is an error, for what is due and what is asked for later', async (_, source) => {
  const pool = threads(1, source);
  const hash = new BlockHash(pool);
  await expect(hash.update(BLOCK)).rejects.toMatchObject({ code: 'IO' });
  await expect(hash.digest()).rejects.toMatchObject({ code: 'IO' });
  const digester = fileDigesters(pool)('file');
  digester.grown(1);
  await expect(digester.digest()).rejects.toMatchObject({ code: 'IO' });
});

test('closing ends all threads, and what is due from them', async () => {
  const pool = threads(2);
  const path = '/dev/zero';
  const digester = fileDigesters(pool)(path);
  digester.grown(Number.MAX_SAFE_INTEGER);
  const due = expect(digester.digest()).rejects.toThrow('enough');
  await pool.close(new Error('enough'));
  await due;
  expect(() => pool.take()).toThrow('enough');
});

test('what is due rejects when the thread is gone, and reads from no file any more', async () => {
  const thread = start();
  const order: string[] = [];
  const due = thread
    .run({ kind: 'file', key: 1, file: '/dev/zero', size: Number.MAX_SAFE_INTEGER })
    .catch(() => order.push('due'));
  const terminated = vi.spyOn(Worker.prototype, 'terminate');
  const ended = thread.end(new Error('enough'));
  await terminated.mock.results[0]?.value;
  order.push('gone');
  await Promise.all([due, ended]);
  terminated.mockRestore();
  expect(order).toEqual(['gone', 'due']);
  await expect(thread.run({ kind: 'end', key: 1 })).rejects.toThrow('enough');
});

test('each close, and giving a file up, waits until the thread is gone', async () => {
  const pool = threads(1);
  const digester = fileDigesters(pool)('/dev/zero');
  digester.grown(Number.MAX_SAFE_INTEGER);
  const order: string[] = [];
  const note = (what: string) => () => void order.push(what);
  const terminated = vi.spyOn(Worker.prototype, 'terminate');
  const first = pool.close(new Error('enough')).then(note('closed'));
  const second = pool.close(new Error('again')).then(note('closed again'));
  const disposed = pool[Symbol.asyncDispose]().then(note('disposed'));
  const dropped = digester.drop().then(note('dropped'));
  await terminated.mock.results[0]?.value;
  order.push('gone');
  await Promise.all([first, second, disposed, dropped]);
  terminated.mockRestore();
  expect(order[0]).toBe('gone');
  expect(order.toSorted()).toEqual(['closed', 'closed again', 'disposed', 'dropped', 'gone']);
  expect(() => pool.take()).toThrow('enough');
});

/** Runs a script beside a thread alone: nothing else keeps its process alive. */
async function runAlone(script: string): Promise<string> {
  const file = join(await temporaryFolder(), 'thread.mjs');
  await build({
    input: fileURLToPath(new URL('../../src/ingest/thread.ts', import.meta.url)),
    platform: 'node',
    output: { file },
    logLevel: 'silent',
  });
  const all = `const { Thread } = await import(${JSON.stringify(pathToFileURL(file).href)}); ${script}`;
  const run = promisify(execFile);
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', all], { timeout: 60_000 });
  return stdout.trim();
}

test('an idle thread does not keep the process alive, one that works does', async () => {
  const printed = await runAlone(`
    const thread = new Thread();
    await thread.run({ kind: 'block', key: 1, bytes: Buffer.from('bytes') });
    console.log(await thread.run({ kind: 'end', key: 1 }));`);
  expect(printed).toBe(digestHex(digestOf(Buffer.from('bytes'))));
});

test('a thread that is ended keeps the process alive until it is gone, also if a reply was on its way', async () => {
  const source = `
    const { parentPort } = process.getBuiltinModule('node:worker_threads');
    parentPort.on('message', ({ id, bytes }) => {
      parentPort.postMessage({ id });
      const replied = new Int32Array(bytes.buffer);
      Atomics.store(replied, 0, 1);
      Atomics.notify(replied, 0);
    });`;
  const printed = await runAlone(`
    process.once('beforeExit', () => console.log('nothing to wait for'));
    const thread = new Thread(${JSON.stringify(source)});
    const replied = new Int32Array(new SharedArrayBuffer(4));
    const due = thread.run({ kind: 'block', key: 1, bytes: new Uint8Array(replied.buffer) });
    Atomics.wait(replied, 0, 0);
    await thread.end(new Error('enough'));
    console.log('gone');`);
  expect(printed).toBe('gone\nnothing to wait for');
});
