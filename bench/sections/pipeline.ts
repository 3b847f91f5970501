/** The hot path alone: an archive that is on disk already, in the page cache, into blobs. */
import { join } from 'node:path';
import { type Archives, archivesOf, FIRST } from '../images.ts';
import { bytesOf, clear, librarySave, naiveSave, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import type { Goal } from '../statistics.ts';

const PARALLEL = 'tee, sha256, zstd -1 -T0, tee, sha256';

const GOALS: readonly Goal[] = [
  { ours: 'ours, zstd', against: PARALLEL, atMost: 0.4 },
  { ours: 'ours, zstd', against: 'zstd -1 -T0', metric: 'cpuSeconds', atMost: 1.4 },
  { ours: 'ours, none', against: 'openssl sha256', atMost: 1.2 },
  { ours: 'ours, none', against: 'naive, none', atMost: 0.45 },
  { ours: 'ours, zstd', against: 'naive, zstd', atMost: 0.35 },
  { ours: 'ours, gzip', against: 'pigz -1 -p2', atMost: 1.15 },
  { ours: 'ours, zstd, traced', metric: 'collections', atMost: 10 },
  { ours: 'library, none', against: 'ours, none', metric: 'cpuSeconds', atMost: 1.1 },
  { ours: 'library, none', against: 'ours, none', metric: 'peakMemory', atMost: 1.1 },
  { ours: 'library, zstd', against: 'ours, zstd', metric: 'cpuSeconds', atMost: 1.1 },
  { ours: 'library, zstd', against: 'ours, zstd', metric: 'peakMemory', atMost: 1.1 },
  { ours: 'ours, none', metric: 'peakMemory', atMost: 128e6 },
  { ours: 'ours, zstd', metric: 'peakMemory', atMost: 256e6 },
  { ours: 'ours, gzip', metric: 'peakMemory', atMost: 256e6 },
];

/** Hides the SHA instructions from OpenSSL, and with it from Node. */
const HIDE_SHA = 'export OPENSSL_ia32cap=:~0x20000000;';

const HIDDEN_GOALS: readonly Goal[] = [{ ours: 'ours, zstd', against: PARALLEL, atMost: 0.8 }];

/** Two races on an archive of docker 28's graph store: with what the CPU has, and without SHA instructions. */
export async function pipelineRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  const kinds = lab.usable(['docker-28-graph']);
  return kinds.flatMap((kind) => [
    async () => {
      const archives = await archivesOf(kind, lab);
      return {
        title: 'archive on disk',
        about: about(archives),
        contenders: contenders(archives, lab),
        goals: GOALS,
      };
    },
    async () => {
      const archives = await archivesOf(kind, lab);
      await checkHidden(lab);
      const hashing = ['openssl sha256', PARALLEL, 'ours, none', 'ours, zstd'];
      return {
        title: 'archive on disk, SHA instructions hidden',
        about: `${about(archives)} OPENSSL_ia32cap hides the SHA instructions of an x86 CPU that has them.`,
        contenders: contenders(archives, lab)
          .filter(({ name }) => hashing.includes(name))
          .map((contender) => ({ ...contender, command: `${HIDE_SHA} ${contender.command}` })),
        goals: HIDDEN_GOALS,
      };
    },
  ]);
}

/** @throws {Error} When hiding makes no difference: the CPU has no SHA instructions, or nothing heeds the variable. */
async function checkHidden(lab: Lab): Promise<void> {
  const hash = `head -c 500000000 /dev/zero | openssl dgst -sha256`;
  const [shown, hidden] = [await measure(hash, lab), await measure(`${HIDE_SHA} ${hash}`, lab)];
  if (hidden.cpuSeconds < 1.3 * shown.cpuSeconds) throw new Error('the CPU has no SHA instructions to hide');
}

function about(archives: Archives): string {
  return (
    `A docker save archive of ${megabytes(archives)} MB in the page cache; every level is 1 unless it is ` +
    'named. Bytes are those stored. Ours and naive include the start of node.'
  );
}

function megabytes({ size }: Archives): string {
  return (size / 1e6).toFixed(0);
}

function contenders({ first, size }: Archives, lab: Lab): Contender[] {
  const out = join(lab.folder, 'out');
  const make = (name: string, command: string, rest: Partial<Contender> = {}): Contender => ({
    name,
    command,
    before: clear(out),
    bytes: () => bytesOf(out),
    ...rest,
  });
  const noDigests = { remark: 'computes no digest' };
  return [
    make('openssl sha256', `openssl dgst -sha256 ${first}`, {
      limit: true,
      bytes: () => undefined,
      remark: 'the limit of one core: it only reads and hashes',
    }),
    make('gzip', `gzip < ${first} > ${out}`, noDigests),
    make('pigz -1 -p2', `pigz -1 -p2 < ${first} > ${out}`, noDigests),
    make('zstd -1 -T0', `zstd -q -1 -T0 < ${first} > ${out}`, noDigests),
    make('zstd -3 -T0', `zstd -q -3 -T0 < ${first} > ${out}`, noDigests),
    make(PARALLEL, withDigests(`cat ${first}`, out), {
      remark: 'two digests of the whole stream, none of a layer',
    }),
    make('skopeo copy docker-archive: oci:', skopeo(first, out), { remark: 'gzip -6 on all cores' }),
    make('naive, none', naiveSave('none', `--from ${first}`, out, lab), { remark: 'one digest' }),
    make('naive, gzip', naiveSave('gzip', `--from ${first}`, out, lab), { remark: 'one digest' }),
    make('naive, zstd', naiveSave('zstd', `--from ${first}`, out, lab), { remark: 'one digest' }),
    make('naive, zstd, both digests', naiveSave('zstd', `--from ${first} --both-digests`, out, lab)),
    make('ours, none', ourSave('none', `--from ${first}`, out, lab), { ours: true }),
    make('ours, gzip', ourSave('gzip', `--from ${first}`, out, lab), { ours: true }),
    make('ours, zstd', ourSave('zstd', `--from ${first}`, out, lab), { ours: true }),
    make('ours, zstd, traced', ourSave('zstd', `--from ${first}`, out, lab, '--trace-gc'), {
      limit: true,
      remark: 'to count collections: V8 prints each',
      collections: (stdout) => (stdout.split('Mark-Compact').length - 1) / (size / 1e9),
    }),
    make('library, none', librarySave('none', first, out, lab), { ours: true }),
    make('library, zstd', librarySave('zstd', first, out, lab), { ours: true }),
  ];
}

/**
 * Compresses what `source` prints, with the digests of what goes in and of what comes out, all at once. Named pipes,
 * since a shell does not wait for process substitutions.
 */
export function withDigests(source: string, out: string): string {
  const [before, after] = [`${out}.before`, `${out}.after`];
  return [
    `rm -f ${before} ${after}; mkfifo ${before} ${after}`,
    `openssl dgst -sha256 < ${before} & openssl dgst -sha256 < ${after} &`,
    `${source} | tee ${before} | zstd -q -1 -T0 | tee ${after} > ${out} && wait && rm ${before} ${after}`,
  ].join('\n');
}

function skopeo(archive: string, out: string): string {
  return `skopeo --insecure-policy copy -q docker-archive:${archive} oci:${out}:${FIRST}`;
}
