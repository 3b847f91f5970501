import { createHash } from 'node:crypto';

const MIB = 1024 * 1024;
/** Repeats within gzip's window, so that the codec costs little and the bytes are many. */
const PATTERN = 16 * 1024;

/** A docker archive of one image whose layers are made up while it is read; the same bytes every time. */
export async function* syntheticArchive(
  name: string,
  layers: number,
  mibPerLayer: number,
): AsyncGenerator<Buffer> {
  const diffIds = [];
  for (let i = 0; i < layers; i++) {
    const hash = createHash('sha256');
    for (const chunk of layerTar(i, mibPerLayer)) hash.update(chunk);
    diffIds.push(`sha256:${hash.digest('hex')}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (let i = 0; i < layers; i++) {
    yield header(`${i}/layer.tar`, (mibPerLayer + 1) * MIB);
    yield* layerTar(i, mibPerLayer);
  }
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIds },
    }),
  );
  const manifest = Buffer.from(
    JSON.stringify([
      { Config: 'config.json', RepoTags: [name], Layers: diffIds.map((_, i) => `${i}/layer.tar`) },
    ]),
  );
  for (const [entry, bytes] of [
    ['config.json', config],
    ['manifest.json', manifest],
  ] as const) {
    yield header(entry, bytes.length);
    yield Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  }
  yield Buffer.alloc(1024);
}

/** One file, and zeros up to a whole MiB, which are the end of a tar. */
function* layerTar(layer: number, mib: number): Generator<Buffer> {
  const block = Buffer.alloc(MIB);
  const pattern = Buffer.alloc(PATTERN);
  for (let i = 0; i < PATTERN; i += 32)
    createHash('sha256').update(`${layer}/${i}`).digest().copy(pattern, i);
  for (let at = 0; at < MIB; at += PATTERN) pattern.copy(block, at);
  yield header(`file-${layer}`, mib * MIB);
  for (let i = 0; i < mib; i++) yield block;
  yield Buffer.alloc(MIB - 512);
}

function header(name: string, size: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write('0000000\0', 108);
  block.write('0000000\0', 116);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.write('        ', 148);
  block.write('0', 156);
  block.write('ustar\0', 257);
  block.write('00', 263);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
