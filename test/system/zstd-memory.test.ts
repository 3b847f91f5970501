import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { entry, tar } from '../support/archives/tar-bytes.ts';
import { imageConfig, json } from '../support/archives/images.ts';
import { drayage } from '../support/cli.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { BLOCK, blocks, frameHeader } from '../stream/zstd-bytes.ts';

/** Writes the peak of its process into the file that PEAK_FILE names. */
const REPORT_PEAK = new URL('./support/report-peak.mjs', import.meta.url).href;
/** The peak that is promised for any input, in bytes. */
const BOUND = 256 * 1024 * 1024;

function archive(layers: readonly Buffer[], compress: (layer: Buffer) => Buffer): Buffer {
  const names = layers.map((_, i) => `layer${i}`);
  return tar(
    entry('manifest.json', json([{ Config: 'c.json', RepoTags: ['app:1'], Layers: names }])),
    entry('c.json', imageConfig([...layers])),
    ...layers.map((layer, i) => entry(names[i]!, compress(layer))),
  );
}

/** One frame with a window of 128 MiB; four bytes for each block of one byte repeated. */
function wide(bytes: Buffer): Buffer {
  const content = Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, i) => {
    const block = bytes.subarray(i * BLOCK, (i + 1) * BLOCK);
    const byte = block[0] ?? 0;
    return block.equals(Buffer.alloc(block.length, byte)) ? { byte, times: block.length } : block;
  });
  return Buffer.concat([frameHeader({ windowLog: 27 }), blocks(...content)]);
}

const COMMANDS = [
  'save --from wide.tar.zst -o out',
  'load docker-archive:wide.tar.zst --to docker-archive:out.tar',
  'diff docker-archive:wide.tar.zst docker-archive:wide.tar.zst',
  'merge docker-archive:wide.tar.zst -o merged',
  'save --from layers.tar -o layers',
  'verify layers',
  'load layers --to oci-archive:layers.out.tar',
];

test('the largest windows leave the peak below 256 MiB', async () => {
  const folder = await temporaryFolder();
  const layers = ['a', 'b', 'c'].map((byte) => tar(entry('file', Buffer.alloc(150_000_000, byte))));
  await writeFile(join(folder, 'wide.tar.zst'), wide(archive(layers, (layer) => layer)));
  await writeFile(join(folder, 'layers.tar'), archive(layers, wide));
  const peakFile = join(folder, 'peak');
  const env = { NODE_OPTIONS: `--import=${REPORT_PEAK}`, PEAK_FILE: peakFile };
  for (const command of COMMANDS) {
    const { code, stderr } = await drayage(command.split(' '), { cwd: folder, env });
    expect(`${code} ${code === 0 ? '' : stderr}`, command).toBe('0 ');
    const peak = Number(await readFile(peakFile, 'utf8'));
    console.log(`${command}: ${Math.round(peak / 1e6)} MB`);
    expect(peak, command).toBeLessThan(BOUND);
  }
});
