import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder that lasts as long as the test. */
export function tempFolder(home: string = tmpdir()): string {
  const folder = mkdtempSync(join(home, 'drayage-layout-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Where files are in memory, if that can be had: for tests that sync hundreds of times and do not care for the disk. */
export const IN_MEMORY: string = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** A folder {@link IN_MEMORY} that lasts as long as the test. */
export function tempFolderInMemory(): string {
  return tempFolder(IN_MEMORY);
}

/** The path of a file that is reached through the handle of a folder. */
export function placeOf(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

/** All that is below a folder: each path with its kind, mode and content. */
export function snapshot(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .toSorted()
    .map((name) => `${name} ${describe(join(folder, name))}`);
}

function describe(path: string): string {
  const stats = lstatSync(path);
  const mode = (stats.mode & 0o777).toString(8);
  if (stats.isSymbolicLink()) return `link to ${readlinkSync(path)}`;
  if (stats.isDirectory()) return `folder ${mode}`;
  return `file ${mode} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`;
}

/** Sets back the times of what a killed process left, as if the time had passed after which it counts as gone. */
export function ageLeftovers(folder: string): void {
  for (const home of readdirSync(folder).filter((name) => name.endsWith('.drayage'))) {
    for (const name of readdirSync(join(folder, home), { recursive: true, encoding: 'utf8' }))
      utimesSync(join(folder, home, name), 1000, 1000);
  }
}
