/** An image out of a daemon, and out of it again when nothing has changed. */
import { join } from 'node:path';
import { DAEMON_KINDS } from '../../test/system/support/daemons.ts';
import type { BenchDaemon } from '../bench-daemon.ts';
import { bytesOf, clear, naiveSave, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { archivesOf, FIRST } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import type { Goal } from '../statistics.ts';
import { withDigests } from './pipeline.ts';

const NULL = 'docker save > /dev/null';
const SKOPEO = 'skopeo copy docker-daemon: oci:';

const GOALS: readonly Goal[] = [
  { ours: 'ours, none', against: NULL, atMost: 1.25 },
  { ours: 'ours, zstd', against: NULL, atMost: 1.35 },
  { ours: 'ours, zstd', against: 'docker save | gzip', atMost: 0.26 },
  { ours: 'ours, gzip', against: 'docker save | gzip', atMost: 0.35 },
  { ours: 'ours, zstd', against: SKOPEO, atMost: 0.7 },
  { ours: 'ours, gzip', against: SKOPEO, atMost: 0.9 },
  { ours: 'ours, none', metric: 'peakMemory', atMost: 128e6 },
  { ours: 'ours, zstd', metric: 'peakMemory', atMost: 256e6 },
  { ours: 'ours, gzip', metric: 'peakMemory', atMost: 256e6 },
];

const HASH_ALL = 'openssl sha256 of all blobs, on all cores';
/** A containerd store has compressed layers, which are kept as they are. */
const CONTAINERD_GOALS: readonly Goal[] = [{ ours: 'ours, zstd', against: NULL, atMost: 1.15 }];

const AGAIN_GOALS: readonly Goal[] = (['none', 'gzip', 'zstd'] as const).map((codec) => ({
  ours: `ours, ${codec}, again`,
  against: `${HASH_ALL} (${codec})`,
  atMost: 1,
  plus: 0.4,
}));

/** Two races for each kind of daemon. */
export async function saveRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  return lab.usable(DAEMON_KINDS).flatMap((kind) => {
    let started: Promise<BenchDaemon> | undefined;
    const daemon = async (): Promise<BenchDaemon> => {
      started ??= startWithImage(kind, lab);
      return started;
    };
    return [async () => firstSave(await daemon(), lab), async () => secondSave(await daemon(), lab)];
  });
}

async function startWithImage(kind: BenchDaemon['kind'], lab: Lab): Promise<BenchDaemon> {
  const { first } = await archivesOf(kind, lab);
  const daemon = await lab.start(kind);
  await daemon.load(first);
  return daemon;
}

async function firstSave(daemon: BenchDaemon, lab: Lab): Promise<Race> {
  const { size } = await archivesOf(daemon.kind, lab);
  return {
    title: `out of ${daemon.kind}`,
    about:
      `An image whose docker save archive has ${(size / 1e6).toFixed(0)} MB, 7 layers, out of ${daemon.version}. ` +
      'Bytes are those stored.',
    serverCpu: () => daemon.cpuSeconds(),
    contenders: contenders(daemon, lab),
    goals: goalsOf(daemon),
  };
}

function goalsOf({ kind }: BenchDaemon): readonly Goal[] {
  if (kind === 'podman') return [];
  return kind === 'docker-28-containerd' ? CONTAINERD_GOALS : GOALS;
}

function contenders(daemon: BenchDaemon, lab: Lab): Contender[] {
  const out = join(lab.folder, 'out');
  const stream = `${daemon.docker} save ${FIRST}`;
  const make = (name: string, command: string, rest: Partial<Contender> = {}): Contender => ({
    name,
    command,
    before: clear(out),
    bytes: () => bytesOf(out),
    ...rest,
  });
  const noDigests = { remark: 'computes no digest, and stores layers that images share again and again' };
  const naive = { remark: 'one digest, nothing is checked' };
  const our = `${FIRST} --host ${daemon.host}`;
  const socket = `--socket ${daemon.socket} ${FIRST}`;
  return [
    make(NULL, `${stream} > /dev/null`, {
      limit: true,
      bytes: () => undefined,
      remark: "the daemon's limit: nothing is stored",
    }),
    make('docker save | gzip', `${stream} | gzip > ${out}`, noDigests),
    make('docker save | pigz', `${stream} | pigz > ${out}`, noDigests),
    make('docker save | zstd -T0 -3', `${stream} | zstd -q -T0 -3 > ${out}`, noDigests),
    make('docker save | tee, sha256, zstd -1 -T0, tee, sha256', withDigests(stream, out), {
      remark: 'two digests of the whole stream, none of a layer',
    }),
    make(SKOPEO, skopeo(daemon, out), { remark: skopeoRemark(daemon) }),
    make('naive, none', naiveSave('none', socket, out, lab), naive),
    make('naive, gzip', naiveSave('gzip', socket, out, lab), naive),
    make('naive, zstd', naiveSave('zstd', socket, out, lab), naive),
    make('ours, none', ourSave('none', our, out, lab), { ours: true }),
    make('ours, gzip', ourSave('gzip', our, out, lab), { ours: true }),
    make('ours, zstd', ourSave('zstd', our, out, lab), { ours: true }),
  ];
}

/** Debian 12's skopeo asks for API 1.22, which docker 28 no longer speaks. */
export function speaksToSkopeo({ kind }: BenchDaemon): boolean {
  return kind === 'docker-20.10' || kind === 'podman';
}

function skopeo(daemon: BenchDaemon, out: string): string {
  const copy = 'skopeo --insecure-policy copy -q';
  if (speaksToSkopeo(daemon)) {
    return `${copy} --src-daemon-host ${daemon.host} docker-daemon:${FIRST} oci:${out}:${FIRST}`;
  }
  const archive = `${out}.tar`;
  const save = `${daemon.docker} save -o ${archive} ${FIRST}`;
  return `${save} && ${copy} docker-archive:${archive} oci:${out}:${FIRST} && rm ${archive}`;
}

function skopeoRemark(daemon: BenchDaemon): string {
  const how = speaksToSkopeo(daemon)
    ? ''
    : '; here docker save -o FILE && skopeo copy docker-archive:FILE oci:';
  return `gzip -6 on all cores${how}`;
}

async function secondSave(daemon: BenchDaemon, lab: Lab): Promise<Race> {
  const codecs = ['none', 'gzip', 'zstd'] as const;
  const our = `${FIRST} --host ${daemon.host}`;
  const pairs: Contender[] = [];
  for (const codec of codecs) {
    const layout = join(lab.folder, `again-${daemon.kind}-${codec}`);
    const command = ourSave(codec, our, layout, lab);
    await measure(command, lab);
    const blobs = `find ${layout}/blobs/sha256 -type f -print0`;
    pairs.push(
      {
        name: `${HASH_ALL} (${codec})`,
        limit: true,
        command: `${blobs} | xargs -0 -n 1 -P $(nproc) openssl dgst -sha256`,
      },
      { name: `ours, ${codec}, again`, ours: true, command, bytes: bytesRead },
    );
  }
  return {
    title: `the same again, out of ${daemon.kind}`,
    about:
      `The layout holds the image already. Bytes are those that the daemon (${daemon.version}) was made to send. ` +
      'The goal is a pass of sha256 over what is used again, on all cores, and 0.4 s.',
    serverCpu: () => daemon.cpuSeconds(),
    contenders: pairs,
    goals: AGAIN_GOALS,
    close: () => daemon.stop(),
  };
}

/** What `save --json` says that it read. */
export function bytesRead(stdout: string): number {
  const { bytes }: { bytes: { read: number } } = JSON.parse(stdout);
  return bytes.read;
}
