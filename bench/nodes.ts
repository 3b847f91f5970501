/** The Nodes that run contenders. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { makeTempFolder, removeTempFolder } from '../test/system/support/temp-folders.ts';

/** Programs: the Node that runs this, and one with zstd built in; they may be the same. */
export interface Nodes {
  readonly node: string;
  readonly node24: string;
}

/**
 * Finds both. The one with zstd is the one given, this one, or else the newest 24 of npm, installed into a temp folder
 * until the end.
 * @throws {Error} When the one given has no zstd, or npm cannot install one.
 */
export async function findNodes(given: string | undefined): Promise<Nodes & AsyncDisposable> {
  const node = process.execPath;
  const ready = given === undefined ? node : programIn(given);
  if (hasZstd(ready)) return { node, node24: ready, [Symbol.asyncDispose]: async () => {} };
  if (given !== undefined) throw new Error(`${given} is no Node with zstd built in`);
  const folder = await makeTempFolder();
  const remove = async (): Promise<void> => removeTempFolder(folder);
  try {
    return { node, node24: install(folder), [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** `path` is the program, the folder that holds it, or one that holds `bin/node`. */
function programIn(path: string): string {
  const found = [path, join(path, 'node'), join(path, 'bin/node')].find(isFile);
  return found ?? path;
}

function isFile(path: string): boolean {
  return existsSync(path) && statSync(path).isFile();
}

function install(folder: string): string {
  const name = `node-linux-${process.arch}`;
  const options = ['--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--no-save'];
  const stdio = ['ignore', 'ignore', 'inherit'] as const;
  execFileSync('npm', ['install', ...options, `${name}@24`], { cwd: folder, stdio: [...stdio] });
  return join(folder, 'node_modules', name, 'bin/node');
}

function hasZstd(node: string): boolean {
  const question = "process.exit('createZstdCompress' in require('node:zlib') ? 0 : 1)";
  return spawnSync(node, ['-e', question], { stdio: 'ignore' }).status === 0;
}
