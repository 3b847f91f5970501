/** The two images that the contenders carry: real files of this machine, most layers in common. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DaemonKind } from '../test/system/support/daemons.ts';
import { buildLargeImages, buildTinyImage } from '../test/system/support/images.ts';
import type { BenchDaemon } from './bench-daemon.ts';
import type { Lab } from './lab.ts';

/** The five layers that the others share. */
export const BASE = 'bench/base:1';
/** Seven layers each, of which the lower five are the same. */
export const FIRST = 'bench/app:1';
export const SECOND = 'bench/app:2';

/** `docker save` archives of the three, as that kind of daemon writes them. */
export interface Archives {
  base: string;
  first: string;
  second: string;
  /** Bytes of each of the two larger ones. */
  size: number;
}

/** What the sections of one run share: archives of each kind of daemon, made when the first section asks. */
export interface Shelf {
  readonly folder: string;
  readonly archives: Map<DaemonKind, Promise<Archives>>;
}

/** What archives are made with. */
type Workshop = Pick<Lab, 'shelf' | 'options' | 'start' | 'say'>;

/**
 * Builds the images in a daemon of that kind and saves them; once for each shelf and kind. After a failure, the next call
 * tries again.
 */
export async function archivesOf(kind: DaemonKind, lab: Workshop): Promise<Archives> {
  const { archives } = lab.shelf;
  const known = archives.get(kind);
  if (known !== undefined) return known;
  const made = build(kind, lab);
  archives.set(kind, made);
  made.catch(() => archives.delete(kind));
  return made;
}

async function build(kind: DaemonKind, lab: Workshop): Promise<Archives> {
  const daemon = await lab.start(kind);
  try {
    lab.say(`${kind}: building images`);
    await (lab.options.quick ? buildSmallImages(daemon) : buildLarge(daemon));
    const [base = '', first = '', second = ''] = [0, 1, 2].map((n) =>
      join(lab.shelf.folder, `${kind}-${n}.tar`),
    );
    await daemon.run('save', '--output', base, BASE);
    await daemon.run('save', '--output', first, FIRST);
    await daemon.run('save', '--output', second, SECOND);
    return { base, first, second, size: (await stat(first)).size };
  } finally {
    await daemon.stop();
  }
}

/** BuildKit, as users build, where the daemon takes the store's own form from it: gzip layers. */
function usesBuildkit({ kind }: BenchDaemon): boolean {
  return kind === 'docker-28-containerd';
}

async function buildLarge(daemon: BenchDaemon): Promise<void> {
  const names = { first: FIRST, second: SECOND, base: BASE };
  await buildLargeImages(daemon.test, names, { buildkit: usesBuildkit(daemon) });
}

/** The same shape in small: pieces of node itself, as text. */
async function buildSmallImages(daemon: BenchDaemon): Promise<void> {
  const bytes = await readFile(process.execPath);
  const piece = (n: number): string => bytes.toString('latin1', n * 1_000_000, (n + 1) * 1_000_000);
  const shared = [1, 2, 3, 4, 5].map(piece);
  const buildkit = usesBuildkit(daemon);
  await buildTinyImage(daemon.test, [BASE], { layers: shared, buildkit });
  await buildTinyImage(daemon.test, [FIRST], { layers: [...shared, piece(6), piece(7)], buildkit });
  await buildTinyImage(daemon.test, [SECOND], { layers: [...shared, piece(8), piece(9)], buildkit });
}
