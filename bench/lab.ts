/** What one run of the benchmarks works with: a folder of its own, two Nodes, daemons, and an end to all of it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type DaemonKind, skipReason, startDaemon } from '../test/system/support/daemons.ts';
import { makeTempFolder, removeTempFolder, sweepTempFolders } from '../test/system/support/temp-folders.ts';
import { BenchDaemon } from './bench-daemon.ts';
import { describeCommit, describeMachine } from './machine.ts';
import type { Shelf } from './images.ts';
import type { Nodes } from './nodes.ts';
import type { BenchOptions } from './options.ts';

export interface Lab extends AsyncDisposable, Nodes {
  readonly options: BenchOptions;
  readonly shelf: Shelf;
  /** A temp folder; removed at the end, or by a later run when this one is killed. */
  readonly folder: string;
  /** The whole environment of the contenders. */
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  say(line: string): void;
  /** The machine in one line. */
  machine(): string;
  /** What is measured, as git names it. */
  commit(): string;
  /** Those of `kinds` that are asked for and can run here; it says which are left out, and why. */
  usable(kinds: readonly DaemonKind[]): DaemonKind[];
  /** Starts a daemon without images; it ends with the lab at the latest. */
  start(kind: DaemonKind): Promise<BenchDaemon>;
  /** Calls this when the lab is closed, before the folder is removed. */
  defer(close: () => Promise<unknown>): void;
}

interface LabOptions {
  signal: AbortSignal;
  shelf: Shelf;
}

/** Makes a lab. */
export async function openLab(options: BenchOptions, nodes: Nodes, rest: LabOptions): Promise<Lab> {
  await sweepTempFolders();
  const folder = await makeTempFolder();
  try {
    return await furnish(options, nodes, { ...rest, folder });
  } catch (error) {
    await removeTempFolder(folder);
    throw error;
  }
}

function say(line: string): void {
  console.error(line);
}

async function furnish(
  options: BenchOptions,
  { node, node24 }: Nodes,
  { signal, shelf, folder }: LabOptions & { folder: string },
): Promise<Lab> {
  const home = join(folder, 'home');
  await mkdir(home);
  const machine = describeMachine([node, node24]);
  const commit = describeCommit();
  const closers: (() => Promise<unknown>)[] = [];
  return {
    options,
    shelf,
    folder,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: home, TMPDIR: folder, LC_ALL: 'C' },
    node,
    node24,
    signal,
    say,
    machine: () => machine,
    commit: () => commit,
    usable: (kinds) => kinds.filter((kind) => isUsable(kind, options.daemons)),
    start: async (kind) => {
      const daemon = new BenchDaemon(await startDaemon(kind));
      closers.push(() => daemon.stop());
      say(`${kind}: ${daemon.version} is up`);
      return daemon;
    },
    defer: (close) => void closers.push(close),
    [Symbol.asyncDispose]: async () => {
      for (const close of closers.toReversed()) await close();
      await removeTempFolder(folder);
    },
  };
}

function isUsable(kind: DaemonKind, asked: string[] | undefined): boolean {
  const reason = asked?.includes(kind) === false ? 'not asked for' : skipReason(kind);
  if (reason !== undefined) say(`${kind}: left out: ${reason}`);
  return reason === undefined;
}
