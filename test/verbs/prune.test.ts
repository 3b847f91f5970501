import {
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { OCI_MANIFEST } from '../../src/oci/media-types.ts';
import { prune } from '../../src/verbs/prune.ts';
import { verify } from '../../src/verbs/verify/verify.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { snapshot } from '../layout/folders.ts';
import type { SampleImage } from '../../src/testing/sample-images.ts';
import { addSample, sampleImage, sampleIndex, sampleReferrer } from '../../src/testing/sample-images.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const APP = sampleImage(['base', 'app']);
const TOOLS = sampleImage(['base', 'tools']);
const INDEX = sampleIndex([sampleImage(['multi']), sampleImage(['multi', 'arm'], 'arm64')]);

/** A blob and what it is said to be. */
type Sample = [Descriptor, Uint8Array];

function sample(mediaType: string, text: string): Sample {
  const bytes = Buffer.from(text);
  return [describeBytes(bytes, mediaType), bytes];
}

async function layoutOf(...images: [SampleImage, ...string[]][]): Promise<Layout> {
  const layout = await Layout.create(join(await temporaryFolder(), 'layout'));
  await layout.update(async (transaction) => {
    for (const [image, ...names] of images) await addSample(transaction, image, names);
  });
  return layout;
}

function pathOf(layout: Layout, { digest }: Descriptor): string {
  return join(layout.path, 'blobs/sha256', digest.slice(7));
}

function blobsOf(layout: Layout): string[] {
  return readdirSync(join(layout.path, 'blobs/sha256')).toSorted();
}

function digestsOf(...images: SampleImage[]): string[] {
  const blobs = images.flatMap((image) => image.blobs.map(([{ digest }]) => digest.slice(7)));
  return [...new Set(blobs)].toSorted();
}

async function namesOf(layout: Layout): Promise<string[]> {
  return (await layout.images()).flatMap(({ names }) => names);
}

function bytesOf(layout: Layout, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + statSync(join(layout.path, 'blobs/sha256', name)).size, 0);
}

test('what nothing leads to goes, and is told; what an image needs stays', async () => {
  const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1'], [INDEX, 'multi:1']);
  await layout.update(async (transaction) => transaction.remove('app:1'));
  const lost = digestsOf(APP).filter((name) => !digestsOf(TOOLS).includes(name));
  const freed = { blobs: lost.length, bytes: bytesOf(layout, lost) };
  const left = digestsOf(TOOLS, INDEX);
  const kept = { blobs: left.length, bytes: bytesOf(layout, left) };
  const expected = { layout: layout.path, removed: [], referrers: [], freed, kept };
  expect(await prune({ layout, dryRun: true })).toEqual({ ...expected, dryRun: true });
  expect(blobsOf(layout)).toEqual(digestsOf(APP, TOOLS, INDEX));
  expect(await prune({ layout })).toEqual({ ...expected, dryRun: false });
  expect(blobsOf(layout)).toEqual(left);
  expect((await verify({ layout })).problems).toEqual([]);
  expect((await prune({ layout })).freed).toEqual({ blobs: 0, bytes: 0 });
  expect(readdirSync(join(layout.path, '..'))).toEqual(['layout']);
});

test('files that are no blobs by their names stay', async () => {
  const layout = await layoutOf([APP, 'app:1']);
  const other = join(layout.path, 'blobs/sha256/.DS_Store');
  writeFileSync(other, 'x');
  await prune({ layout });
  expect(existsSync(other)).toBe(true);
});

describe('images that are chosen go', () => {
  test.each([
    ['by name', 'app:1'],
    ['by a full name', 'docker.io/library/app:1'],
    ["by the root's digest", APP.root.digest],
    ["by the config's digest", APP.config.digest],
    ['by a short ID', APP.config.digest.slice(7, 19)],
  ])('%s', async (_, reference) => {
    const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
    const { removed } = await prune({ layout, images: [reference] });
    expect(removed).toEqual([{ name: 'app:1', digest: APP.root.digest }]);
    expect(await namesOf(layout)).toEqual(['tools:1']);
    expect(blobsOf(layout)).toEqual(digestsOf(TOOLS));
  });

  test('by one of their names only that, by their digest whole', async () => {
    const layout = await layoutOf([APP, 'app:1', 'app:2']);
    await prune({ layout, images: ['app:2'] });
    expect(await namesOf(layout)).toEqual(['app:1']);
    expect(blobsOf(layout)).toEqual(digestsOf(APP));
    await prune({ layout, images: [APP.root.digest] });
    expect(await namesOf(layout)).toEqual([]);
    expect(blobsOf(layout)).toEqual([]);
  });

  test('or none, where one of them is not there or is a part of another', async () => {
    const layout = await layoutOf([APP, 'app:1'], [INDEX, 'multi:1']);
    const before = snapshot(layout.path);
    await expect(prune({ layout, images: ['app:1', 'none:1'] })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(prune({ layout, images: [INDEX.config.digest] })).rejects.toMatchObject({ code: 'USAGE' });
    expect(snapshot(layout.path)).toEqual(before);
  });

  test('with what refers to them, and what refers to that', async () => {
    const signature = sampleReferrer(APP.root);
    const onSignature = sampleReferrer(signature.root, 'countersigned');
    const other = sampleReferrer(TOOLS.root, 'of tools');
    const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1'], [onSignature], [signature], [other]);
    const { referrers, removed } = await prune({ layout, images: ['app:1'] });
    expect(removed).toEqual([{ name: 'app:1', digest: APP.root.digest }]);
    expect(referrers.toSorted()).toEqual([signature.root.digest, onSignature.root.digest].toSorted());
    expect(blobsOf(layout)).toEqual(digestsOf(TOOLS, other));
  });

  test('but not what refers to an image that has another name', async () => {
    const signature = sampleReferrer(APP.root);
    const layout = await layoutOf([APP, 'app:1', 'app:2'], [signature]);
    expect((await prune({ layout, images: ['app:1'] })).referrers).toEqual([]);
    expect(blobsOf(layout)).toEqual(digestsOf(APP, signature));
  });

  test('by age, which is that of their manifest in the layout; what refers to others stays at any age', async () => {
    const signature = sampleReferrer(TOOLS.root);
    const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1'], [signature]);
    utimesSync(pathOf(layout, APP.root), 1000, 1000);
    utimesSync(pathOf(layout, signature.root), 1000, 1000);
    const before = new Date(2_000_000);
    expect((await prune({ layout, images: ['tools:1'], before })).removed).toEqual([]);
    expect((await prune({ layout, before })).removed).toEqual([{ name: 'app:1', digest: APP.root.digest }]);
    expect(blobsOf(layout)).toEqual(digestsOf(TOOLS, signature));
  });

  test('by age, which begins anew where what is stored already is saved once more', async () => {
    const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
    for (const { root } of [APP, TOOLS]) utimesSync(pathOf(layout, root), 1000, 1000);
    const blobs = blobsOf(layout);
    await layout.update(async (transaction) => addSample(transaction, APP, ['app:1']));
    expect(blobsOf(layout)).toEqual(blobs);
    const { removed } = await prune({ layout, before: new Date(2_000_000) });
    expect(removed).toEqual([{ name: 'tools:1', digest: TOOLS.root.digest }]);
    expect((await verify({ layout })).problems).toEqual([]);
  });

  test('also where they are damaged', async () => {
    const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
    rmSync(pathOf(layout, APP.root));
    await prune({ layout, images: ['app:1'] });
    expect(blobsOf(layout)).toEqual(digestsOf(TOOLS));
  });
});

const text = (value: string): Sample => sample('text/plain', value);
const TYPE = 'application/vnd.example.bundle';
/** Puts blobs into a layout as they are, and an entry for the last of them. */
async function layoutWith(...blobs: Sample[]): Promise<Layout> {
  const layout = await layoutOf([APP, 'app:1']);
  for (const [descriptor, bytes] of blobs) writeFileSync(pathOf(layout, descriptor), bytes);
  const path = join(layout.path, 'index.json');
  const index = JSON.parse(readFileSync(path, 'utf8')) as { manifests: Descriptor[] };
  index.manifests.push(...blobs.slice(-1).map(([descriptor]) => descriptor));
  writeFileSync(path, JSON.stringify(index));
  return layout;
}

describe('of what no media type explains', () => {
  test('all that it names stays, at any depth and through further documents', async () => {
    const [deep, alone, key, lost] = [text('deep'), text('alone'), text('key'), text('lost')];
    const inner = sample(`${TYPE}.part`, JSON.stringify([{ parts: { first: [deep[0]] } }]));
    const signed = sampleReferrer(TOOLS.root);
    const outer = sample(
      TYPE,
      JSON.stringify({
        of: { it: [inner[0], signed.root] },
        blobSum: alone[0].digest,
        sizes: { [key[0].digest]: 4 },
        absent: describeBytes(Buffer.from('nowhere'), TYPE),
      }),
    );
    const kept = [deep, alone, key, inner, ...signed.blobs, outer];
    const layout = await layoutWith(lost, ...kept);
    await prune({ layout });
    const names = kept.map(([{ digest }]) => digest.slice(7));
    expect(blobsOf(layout)).toEqual([...digestsOf(APP), ...names].toSorted());
    await prune({ layout, images: [outer[0].digest] });
    expect(blobsOf(layout)).toEqual(digestsOf(APP));
  });

  test('what it names by digests alone stays with all that leads to, but for what that refers to', async () => {
    const [lost, deep, large] = [text('lost'), text('deep'), text(' '.repeat(4 * 1024 * 1024 + 1))];
    const note = sample(
      'text/plain',
      JSON.stringify({ mediaType: INDEX.root.mediaType, of: deep[0].digest }),
    );
    const signature = sampleReferrer(lost[0]);
    const named = [INDEX.root, signature.root, note[0], large[0]].map(({ digest }) => digest);
    const document = sample(TYPE, JSON.stringify({ named, absent: describeBytes(Buffer.from('no')).digest }));
    const layout = await layoutWith(lost, ...INDEX.blobs, ...signature.blobs, note, deep, large, document);
    expect((await prune({ layout })).freed.blobs).toBe(1);
    expect(existsSync(pathOf(layout, lost[0]))).toBe(false);
    await prune({ layout, images: [document[0].digest] });
    expect(blobsOf(layout)).toEqual(digestsOf(APP));
  });

  test('what it names by digests alone is checked as it is read', async () => {
    const damaged = text(JSON.stringify({ part: text('part')[0].digest }));
    const document = sample(TYPE, JSON.stringify({ named: damaged[0].digest }));
    const layout = await layoutWith([damaged[0], Buffer.from(damaged[1]).fill(' ')], text('part'), document);
    await expect(prune({ layout })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  });

  test('in an index, too', async () => {
    const part = text('part');
    const document = sample(TYPE, JSON.stringify({ part: part[0] }));
    const index = sample(
      'application/vnd.oci.image.index.v1+json',
      JSON.stringify({ schemaVersion: 2, manifests: [document[0]] }),
    );
    const layout = await layoutWith(part, document, index);
    expect((await prune({ layout })).freed.blobs).toBe(0);
  });

  test('content of any size is no obstacle, and a document over the limit is one', async () => {
    const bytes = Buffer.alloc(4 * 1024 * 1024 + 1, ' ').toString();
    const content = await layoutWith(text('lost'), sample('application/octet-stream', bytes));
    expect((await prune({ layout: content })).freed.blobs).toBe(1);
    const document = await layoutWith(text('lost'), sample(`${TYPE}+json`, bytes));
    await expect(prune({ layout: document })).rejects.toMatchObject({ code: 'LIMIT' });
    expect(blobsOf(document)).toHaveLength(digestsOf(APP).length + 2);
  });

  test('what is damaged may have named anything: nothing goes', async () => {
    const damaged = sample(TYPE, JSON.stringify({ part: text('part')[0] }));
    const layout = await layoutWith(text('part'), [damaged[0], Buffer.from(damaged[1]).fill(' ')]);
    await expect(prune({ layout })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(blobsOf(layout)).toHaveLength(digestsOf(APP).length + 2);
  });
});

test('an index that a manifest carries as its content keeps what it lists', async () => {
  const empty = sample('application/vnd.oci.empty.v1+json', '{}');
  const absent = describeBytes(Buffer.from('nowhere'), OCI_MANIFEST);
  const manifest = sample(
    OCI_MANIFEST,
    JSON.stringify({ schemaVersion: 2, config: empty[0], layers: [INDEX.root, absent] }),
  );
  const layout = await layoutWith(text('lost'), ...INDEX.blobs, empty, manifest);
  expect((await prune({ layout })).freed.blobs).toBe(1);
  expect(blobsOf(layout)).toEqual(expect.arrayContaining(digestsOf(INDEX)));
});

test('where a manifest that stays cannot be read, nothing goes', async () => {
  const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  writeFileSync(pathOf(layout, TOOLS.root), Buffer.alloc(TOOLS.root.size, ' '));
  const before = snapshot(layout.path);
  await expect(prune({ layout, images: ['app:1'] })).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(snapshot(layout.path)).toEqual(before);
});

test('a link among the blobs is refused, and what it leads to stays', async () => {
  const layout = await layoutOf([APP, 'app:1']);
  const outside = join(layout.path, '../outside');
  writeFileSync(outside, 'x');
  symlinkSync(outside, join(layout.path, 'blobs/sha256', '0'.repeat(64)));
  await expect(prune({ layout })).rejects.toMatchObject({ code: 'LINK' });
  expect(existsSync(outside)).toBe(true);
});

test('while another update is at work nothing goes', async () => {
  const layout = await layoutOf([APP, 'app:1']);
  await layout.update(async (transaction) => transaction.remove('app:1'));
  await layout.update(async (transaction) => {
    await expect(prune({ layout })).rejects.toMatchObject({ code: 'LOCKED' });
    expect(blobsOf(layout)).toEqual(digestsOf(APP));
    // It takes blobs for there that nothing names yet.
    transaction.add(APP.root, ['app:2'], {});
  });
  expect((await verify({ layout })).problems).toEqual([]);
});

test('whoever begins an update while content is removed waits until that is done', async () => {
  const layout = await layoutOf([APP, 'app:1']);
  await layout.update(async (transaction) => transaction.remove('app:1'));
  const order: string[] = [];
  let update: Promise<void> | undefined;
  await layout
    .prune(async (entries) => {
      update = layout.update(async (transaction) => {
        order.push('update');
        await addSample(transaction, TOOLS, ['tools:1']);
      });
      const home = join(layout.path, '../.layout.drayage');
      const atWork = (): string[] => readdirSync(home).filter((name) => name.startsWith('tx-'));
      while (atWork().length < 2) await setImmediate();
      // Long enough for one that does not wait.
      await delay(200);
      order.push('chosen');
      return entries;
    })
    .catch((error: unknown) => order.push(error instanceof Error ? error.message : ''));
  await update;
  const [first, ...others] = order;
  expect(first).toBe('chosen');
  expect(others.toSorted()).toEqual([expect.stringContaining('at work'), 'update']);
  expect(await namesOf(layout)).toEqual(['tools:1']);
  expect((await verify({ layout })).problems).toEqual([]);
});

test('an abort before anything was removed leaves all as it was', async () => {
  const layout = await layoutOf([APP, 'app:1'], [TOOLS, 'tools:1']);
  const before = snapshot(layout.path);
  const controller = new AbortController();
  const pruning = layout.prune(
    async () => {
      controller.abort(new Error('enough'));
      return [];
    },
    { signal: controller.signal },
  );
  await expect(pruning).rejects.toThrow('enough');
  expect(snapshot(layout.path)).toEqual(before);
  expect(readdirSync(join(layout.path, '..'))).toEqual(['layout']);
});
