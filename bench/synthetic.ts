/** Docker archives that are made up while they are read: any number of bytes, layers and images, and no disk. */
import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { header } from '../test/support/archives/tar-bytes.ts';

const MIB = 1024 * 1024;
/** Repeats in the stream; real code, so that it compresses like some. */
const BLOCK = 8 * MIB;
/** Zeros that end the tar of a layer. */
const END = 2048;

/** What the archive holds. */
export interface Shape {
  images: number;
  /** Layers that every image has. */
  sharedLayers: number;
  /** Layers of each image that no other one has. */
  ownLayers: number;
  /** Bytes of a layer's one file; less than 8 GiB. */
  layerSize: number;
}

/** How many different layers there are. */
export function layerCount({ images, sharedLayers, ownLayers }: Shape): number {
  return sharedLayers + images * ownLayers;
}

/** The archive, as `docker save` of version 20.10 would order it; the same bytes every time with the same node. */
export async function* syntheticArchive(shape: Shape): AsyncGenerator<Buffer> {
  const block = await readBlock();
  const common = createHash('sha256');
  for (const chunk of commonPart(shape.layerSize, block)) {
    common.update(chunk);
    // Whoever reads or interrupts is not to wait for all of it.
    await new Promise((resolve) => setImmediate(resolve));
  }
  const layers = Array.from({ length: layerCount(shape) }, (_, index) => trailer(index));
  for (const [index, end] of layers.entries()) {
    yield entryHeader(layerName(index), paddedSize(shape.layerSize) + 2 * 512 + END);
    yield* commonPart(shape.layerSize, block);
    yield end;
  }
  yield* documents(
    shape,
    layers.map((end) => digest(common, end)),
  );
}

/** The lower layers of every image are the shared ones. */
function* documents(shape: Shape, diffIds: readonly string[]): Generator<Buffer> {
  const manifest = Array.from({ length: shape.images }, (_, image) => ({
    Config: `config-${image}.json`,
    RepoTags: [`synthetic/image-${image}:1`],
    Layers: layersOf(image, shape).map(layerName),
  }));
  for (const [image, { Config }] of manifest.entries()) {
    const ids = layersOf(image, shape).map((layer) => diffIds[layer]);
    yield* wholeEntry(Config, {
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: ids },
    });
  }
  yield* wholeEntry('manifest.json', manifest);
  yield Buffer.alloc(1024);
}

function layersOf(image: number, { sharedLayers, ownLayers }: Shape): number[] {
  const shared = Array.from({ length: sharedLayers }, (_, index) => index);
  const own = Array.from({ length: ownLayers }, (_, index) => sharedLayers + image * ownLayers + index);
  return [...shared, ...own];
}

function layerName(index: number): string {
  return `layer-${index}/layer.tar`;
}

/** One file, up to the end of its padding. */
function* commonPart(size: number, block: Buffer): Generator<Buffer> {
  yield entryHeader('file', size);
  for (let left = paddedSize(size); left > 0; left -= block.length)
    yield block.subarray(0, Math.min(left, block.length));
}

/** An empty file whose name is the layer's own, and the end of the tar. */
function trailer(index: number): Buffer {
  return Buffer.concat([entryHeader(`layer-${index}`, 0), Buffer.alloc(END)]);
}

function digest(common: Hash, end: Buffer): string {
  return `sha256:${common.copy().update(end).digest('hex')}`;
}

function* wholeEntry(name: string, document: unknown): Generator<Buffer> {
  const bytes = Buffer.from(JSON.stringify(document));
  yield entryHeader(name, bytes.length);
  yield Buffer.concat([bytes, Buffer.alloc(paddedSize(bytes.length) - bytes.length)]);
}

function entryHeader(name: string, size: number): Buffer {
  return header({ name, size });
}

function paddedSize(size: number): number {
  return Math.ceil(size / 512) * 512;
}

async function readBlock(): Promise<Buffer> {
  await using file = await open(process.execPath);
  const { buffer } = await file.read({ buffer: Buffer.alloc(BLOCK), position: 16 * MIB });
  return buffer;
}
