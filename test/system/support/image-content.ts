/** The content of large test images: this machine's own programs and texts, as one tar for each layer. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { makeTempFolder } from './temp-folders.ts';

const MB = 1_000_000;
const MAX_FILE_SIZE = 16 * MB;
const SOURCES = ['/usr', '/opt'];

/** Least bytes of each layer: five that both images have, two of the first and two of the second. */
const SHARED_SIZES = [65 * MB, 60 * MB, 55 * MB, 55 * MB, 50 * MB];
const OWN_SIZES = [15 * MB, 15 * MB];
const LAYER_SIZES = [...SHARED_SIZES, ...OWN_SIZES, ...OWN_SIZES];

/** The tars of two images, lowest layer first. */
export interface LargeLayers {
  readonly first: readonly string[];
  readonly second: readonly string[];
}

let prepared: Promise<LargeLayers> | undefined;

/**
 * Layers of two large images, made at the first call and removed when the process ends.
 * @throws {Error} When the machine has too little content.
 */
export async function largeLayers(): Promise<LargeLayers> {
  prepared ??= prepare();
  return prepared;
}

async function prepare(): Promise<LargeLayers> {
  const folder = await makeTempFolder();
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const tars: string[] = [];
  for (const [index, files] of (await chooseFiles()).entries()) {
    const tar = join(folder, `layer-${index}.tar`);
    await writeTar(tar, files);
    tars.push(tar);
  }
  const shared = tars.slice(0, SHARED_SIZES.length);
  const own = tars.slice(SHARED_SIZES.length);
  return {
    first: [...shared, ...own.slice(0, OWN_SIZES.length)],
    second: [...shared, ...own.slice(OWN_SIZES.length)],
  };
}

/** Lists of files, one list a layer, each at least as large as it should be; no file is in two of them. */
async function chooseFiles(): Promise<string[][]> {
  const layers: string[][] = [];
  let files: string[] = [];
  let size = 0;
  for await (const file of allFiles()) {
    files.push(file.path);
    size += file.size;
    if (size < (LAYER_SIZES[layers.length] ?? 0)) continue;
    layers.push(files);
    if (layers.length === LAYER_SIZES.length) return layers;
    files = [];
    size = 0;
  }
  throw new Error(`${SOURCES.join(' and ')} hold too few files for ${LAYER_SIZES.length} layers`);
}

async function* allFiles(): AsyncGenerator<{ path: string; size: number }> {
  for (const source of SOURCES) yield* walk(source);
}

/** Regular files in the order of their names. */
async function* walk(folder: string): AsyncGenerator<{ path: string; size: number }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    if (!entry.isFile()) continue;
    const { size } = await lstat(path);
    if (size > 0 && size <= MAX_FILE_SIZE) yield { path, size };
  }
}

/** Times and owners are fixed, so that the same files make the same layer. */
async function writeTar(archive: string, files: readonly string[]): Promise<void> {
  const fixed = ['--mtime=@1700000000', '--owner=0', '--group=0', '--numeric-owner', '--hard-dereference'];
  const args = ['--create', '--file', archive, '--null', '--files-from=-', '--absolute-names', ...fixed];
  const tar = spawn('tar', [...args, '--transform=s,^/,,'], { stdio: ['pipe', 'ignore', 'inherit'] });
  tar.stdin.end(files.join('\0'));
  await once(tar, 'close');
  if (tar.exitCode !== 0) throw new Error(`tar ended with ${tar.exitCode} for ${archive}`);
}
