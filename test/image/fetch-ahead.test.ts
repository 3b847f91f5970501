import { buffer } from 'node:stream/consumers';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { buildManifest } from '../../src/oci/manifest.ts';
import { OCI_CONFIG } from '../../src/oci/media-types.ts';
import type { BlobLocation, SourcedBlob } from '../../src/image/fetch-ahead.ts';
import { fetchAhead } from '../../src/image/fetch-ahead.ts';
import { writeOciArchive } from '../../src/archive/write/oci.ts';
import { describeBytes } from '../../src/testing/sample-images.ts';
import { makeCargo } from '../docker/cargo.ts';
import { drain } from '../../src/stream/drain.ts';
import { framed } from '../stream/zstd-bytes.ts';
import { MemoryContent } from '../support/memory-content.ts';

const BLOBS = Array.from({ length: 20 }, (_, i) => Buffer.alloc(1000, String(i)));

/** A server: it counts what is opened, and sends nothing before it may. */
class Remote extends MemoryContent {
  readonly opened: string[] = [];
  running = 0;
  atOnce = 0;
  aborted = 0;
  go: Promise<void> = Promise.resolve();

  override async open(...args: Parameters<MemoryContent['open']>): ReturnType<MemoryContent['open']> {
    this.opened.push(args[0].digest);
    this.running += 1;
    this.atOnce = Math.max(this.atOnce, this.running);
    const onAbort = (): void => void (this.aborted += 1);
    args[1]?.signal?.addEventListener('abort', onAbort);
    await this.go;
    await setImmediate();
    args[1]?.signal?.removeEventListener('abort', onAbort);
    this.running -= 1;
    return super.open(...args);
  }

  async isRemote(): Promise<boolean> {
    return true;
  }
}

const itemsOf = (source: MemoryContent, blobs: readonly Buffer[] = BLOBS): SourcedBlob[] =>
  blobs.map((bytes) => ({ blob: describeBytes(bytes), source }));

async function consume(
  items: readonly SourcedBlob[],
  options?: Parameters<typeof fetchAhead>[1],
): Promise<{ bytes: Buffer[]; location: BlobLocation[] }> {
  const [bytes, location]: [Buffer[], BlobLocation[]] = [[], []];
  for await (const item of fetchAhead(items, options)) {
    location.push(item.location);
    bytes.push(await buffer(await item.source.open(item.blob)));
  }
  return { bytes, location };
}

describe('fetchAhead', () => {
  test('lets go of the bytes that the consumer has left', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const blobs = Array.from({ length: 30 }, (_, i) => Buffer.alloc(4_000_000, String(i)));
    const items = itemsOf(new Remote(blobs), blobs);
    collect();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    for await (const { location } of fetchAhead(items, { memory: 16_000_000 })) {
      expect(location === 'memory' || location === 'remote').toBe(true);
      collect();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
    expect(most).toBeLessThan(40_000_000);
  });

  test('fetches remote blobs several at a time, each once, and gives them in their order', async () => {
    const remote = new Remote(BLOBS);
    const { bytes, location } = await consume(itemsOf(remote));
    expect(bytes).toEqual(BLOBS);
    expect(new Set(location)).toEqual(new Set(['memory']));
    expect(remote.opened).toHaveLength(BLOBS.length);
    expect(remote.atOnce).toBe(6);
  });

  test('opens nothing of a place on this machine', async () => {
    const local = new Remote(BLOBS);
    local.isRemote = async () => false;
    for await (const { location, source } of fetchAhead(itemsOf(local)))
      expect([location, source]).toEqual(['local', local]);
    expect(local.opened).toEqual([]);
  });

  test('keeps no more in memory than it may, and uses what is free again', async () => {
    const remote = new Remote(BLOBS);
    const { bytes, location } = await consume(itemsOf(remote), { memory: 3500 });
    expect(bytes).toEqual(BLOBS);
    expect(location.slice(0, 4)).toEqual(['memory', 'memory', 'memory', 'remote']);
    expect(location.slice(6)).toContain('memory');
    expect(remote.opened).toHaveLength(BLOBS.length);
  });

  test('reports a failure when it is the turn of its blob', async () => {
    const remote = new Remote(BLOBS);
    remote.blobs.set(describeBytes(BLOBS[2] ?? expect.fail()).digest, Buffer.alloc(1000, 'x'));
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { blob } of fetchAhead(itemsOf(remote))) seen.push(blob.digest);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(seen).toHaveLength(2);
  });

  test('ends what is on its way if nobody reads on', async () => {
    const remote = new Remote(BLOBS);
    for await (const _ of fetchAhead(itemsOf(remote))) break;
    // The first one has arrived.
    expect(remote.aborted).toBe(remote.opened.length - 1);
    expect(remote.opened.length).toBeLessThan(BLOBS.length);
  });
});

test('a remote blob too large for memory is read once for a daemon that checks it', async () => {
  const large = makeCargo({ layers: ['base', Buffer.alloc(65 * 1024 * 1024)], compress: false });
  const remote = new Remote([...large.source.blobs.values()]);
  await buffer(writeOciArchive(large.root, ['app:1'], remote, { receiverChecks: true }));
  const layers = large.layers.map(({ digest }) => digest);
  expect(remote.opened.filter((digest) => layers.includes(digest as never)).toSorted()).toEqual(
    layers.toSorted(),
  );
});

test.each([
  ['local', 1024, (blobs: Uint8Array[]) => new MemoryContent(blobs)],
  ['remote', 1024, (blobs: Uint8Array[]) => new Remote(blobs)],
  ['remote, too large for memory,', 65 * 1024 * 1024, (blobs: Uint8Array[]) => new Remote(blobs)],
])('a %s blob that is another layer does not go whole to a daemon', async (_, size, sourceOf) => {
  const cargo = makeCargo({ layers: ['base', Buffer.alloc(size)], compress: false, misnamed: true });
  const source = sourceOf([...cargo.source.blobs.values()]);
  const archive = writeOciArchive(cargo.root, ['app:1'], source, { receiverChecks: true });
  await expect(drain(archive)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { expected: cargo.diffIds[1] },
  });
});

test('a blob of a passing archive that stands for two layers does not go whole to a daemon', async () => {
  const content = Buffer.alloc(3_000_000, 'two layers');
  // A second decoder would wait for the window that the first one keeps.
  const blob = framed(content, 27);
  const layer = { ...describeBytes(blob), mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd' };
  const diffIds = [digestOf(content), digestOf(Buffer.from('another'))];
  const config = Buffer.from(
    JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }),
  );
  const manifest = buildManifest({ ...describeBytes(config), mediaType: OCI_CONFIG }, [layer, layer]);
  const source = Object.assign(new Remote([blob, config, manifest.bytes]), { position: () => 0 });
  const archive = writeOciArchive(manifest.descriptor, ['app:1'], source, { receiverChecks: true });
  await expect(drain(archive)).rejects.toMatchObject({
    code: 'DIGEST_MISMATCH',
    facts: { expected: diffIds[1] },
  });
});
