import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { tempFolderInMemory } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

const WRITERS = 16;
/** Each writer moves so many names of its own from image to image. */
const NAMES = 2;
const TIME = 120_000;

/** Runs a script over and over within one process; returns the lines that it prints. */
async function run(script: string, args: readonly string[]): Promise<string[]> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect([await ended, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

test(`${WRITERS} writers, a pruner and a verifier of one layout lose nothing that was reported done`, async () => {
  const folder = tempFolderInMemory();
  const path = join(folder, 'place/layout');
  const first = sampleImage(['base', 'first']);
  await (await Layout.create(path)).update((transaction) => addSample(transaction, first, ['first:1']));
  const script = join(folder, 'script.mjs');
  writeFileSync(script, SCRIPT);
  const dist = new URL('../../dist/', import.meta.url).href;
  const start = (...role: string[]): Promise<string[]> => run(script, [dist, path, `${TIME}`, ...role]);
  const [pruned, verified, ...written] = await Promise.all([
    start('prune'),
    start('verify'),
    ...Array.from({ length: WRITERS }, (_, writer) => start('write', `${writer}`, `${NAMES}`)),
  ]);
  // The last line of each name is what it must mean now.
  const reported = new Map(written.flat().map((line) => line.split(' ') as [name: string, digest: string]));
  const layout = await Layout.open(path);
  const found = (await layout.images()).flatMap(({ names, root }) =>
    names.map((name) => `${name} ${root.digest}`),
  );
  const expected = [...reported, ['first:1', first.root.digest]].map((pair) => pair.join(' '));
  expect(found.toSorted()).toEqual(expected.toSorted());
  expect((await verify({ layout })).problems).toEqual([]);
  expect(reported.size).toBe(WRITERS * NAMES);
  expect(verified?.length).toBeGreaterThan(0);
  expect(pruned?.some((line) => /^freed [1-9]/.test(line))).toBe(true);
  expect(readdirSync(join(path, '..'))).toEqual(['layout']);
  expect(readdirSync(path).toSorted()).toEqual(['blobs', 'index.json', 'manifest.json', 'oci-layout']);
});

const SCRIPT = `
const [, , dist, path, time, role, writer, names] = process.argv;
const { Layout, prune, verify, buildManifest, digestOf } = {
  ...(await import(dist + 'index.js')),
  ...(await import(dist + 'exports/layout.js')),
  ...(await import(dist + 'exports/oci.js')),
};
const end = performance.now() + Number(time);
const describe = (bytes, mediaType) => ({ mediaType, digest: digestOf(bytes), size: bytes.length });
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function write(i) {
  // From time to time all writers rest, so that the pruner has its turn.
  const phase = Date.now() % 16_000;
  if (phase > 6000) await pause(16_000 - phase);
  const layout = await Layout.open(path, { lockTimeout: 120_000 });
  const name = 'app:' + writer + '-' + (i % Number(names));
  let root;
  await layout.update(async (transaction) => {
    const put = async (bytes, mediaType) => {
      const descriptor = describe(bytes, mediaType);
      await transaction.put(descriptor, [bytes]);
      return descriptor;
    };
    const layers = [];
    for (const text of ['base', 'shared ' + i, writer + ' ' + i])
      layers.push(await put(Buffer.from(text.repeat(2000)), 'application/vnd.oci.image.layer.v1.tar'));
    const diff_ids = layers.map(({ digest }) => digest);
    const config = Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids } }));
    const manifest = buildManifest(await put(config, 'application/vnd.oci.image.config.v1+json'), layers);
    await put(manifest.bytes, manifest.descriptor.mediaType);
    root = manifest.descriptor;
    transaction.add(root, [name], {});
  });
  console.log(name + ' ' + root.digest);
}

const WORK = {
  write,
  prune: async () => {
    try {
      const { freed } = await prune({ layout: await Layout.open(path) });
      console.log('freed ' + freed.blobs);
    } catch (error) {
      if (error.code !== 'LOCKED') throw error;
      console.log('locked');
    }
    await pause(50);
  },
  verify: async () => {
    const { problems } = await verify({ layout: await Layout.open(path) });
    if (problems.length > 0) throw problems[0];
    console.log('intact');
    await pause(50);
  },
};
for (let i = 0; performance.now() < end || (role === 'write' && i < Number(names)); i++) await WORK[role](i);
`;
