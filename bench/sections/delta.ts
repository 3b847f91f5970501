/** Only what is missing: an image into a daemon that has its base, and into a layout that has it. */
import { join } from 'node:path';
import { DAEMON_KINDS, type DaemonKind } from '../../test/system/support/daemons.ts';
import type { BenchDaemon } from '../bench-daemon.ts';
import { bytesOf, clear, type Codec, nodeFor, ourLoad, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { type Archives, archivesOf, FIRST, SECOND } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import type { Goal } from '../statistics.ts';
import { bytesRead } from './save.ts';

const WHOLE = 'docker load, base present';
const EMPTY = 'docker load, empty daemon';
const NULL = 'docker save > /dev/null';
const CODECS: readonly Codec[] = ['none', 'gzip', 'zstd'];

/** Of the time of `docker load` of the whole archive into the same state. */
const LOAD_GOALS: Record<DaemonKind, number> = {
  'docker-20.10': 0.5,
  'docker-28-graph': 0.55,
  'docker-28-containerd': 0.35,
  podman: 0.5,
};

/** Of the time of `docker save > /dev/null`; only a containerd store sends less than the whole image. */
const SAVE_GOALS: Partial<Record<DaemonKind, number>> = {
  'docker-20.10': 1.1,
  'docker-28-graph': 1.1,
  'docker-28-containerd': 0.2,
};

/** For each kind a load into a daemon with the base, a save into a layout with it, and a save of both images. */
export async function deltaRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  return lab.usable(DAEMON_KINDS).flatMap((kind) => {
    let started: Promise<BenchDaemon> | undefined;
    const daemon = async (): Promise<BenchDaemon> => {
      started ??= lab.start(kind);
      return started;
    };
    return [
      async () => loadRace(await daemon(), await archivesOf(kind, lab), lab),
      async () => saveRace(await daemon(), await archivesOf(kind, lab), lab),
      async () => bothRace(await daemon(), await archivesOf(kind, lab), lab),
    ];
  });
}

async function loadRace(daemon: BenchDaemon, archives: Archives, lab: Lab): Promise<Race> {
  const ours: Contender[] = [];
  for (const codec of CODECS) {
    const layout = join(lab.folder, `delta-${daemon.kind}-${codec}`);
    await measure(ourSave(codec, `--from ${archives.second}`, layout, lab), lab);
    ours.push({
      name: `ours, ${codec}, base present`,
      ours: true,
      command: ourLoad(nodeFor(codec, lab), `${layout} --private --host ${daemon.host}`),
      before: async () => haveOnlyFirst(daemon, archives),
      bytes: bytesSent,
    });
  }
  const whole = `${daemon.docker} load -q < ${archives.second}`;
  const bytes = async (): Promise<number> => bytesOf(archives.second);
  const limit = LOAD_GOALS[daemon.kind];
  return {
    title: `load of what is missing, into ${daemon.kind}`,
    about:
      `An image of ${(archives.size / 1e6).toFixed(0)} MB into ${daemon.version}, which has another one with the lower ` +
      '5 of its 7 layers, put there by docker load. Bytes are those sent.',
    serverCpu: () => daemon.cpuSeconds(),
    contenders: [
      { name: WHOLE, command: whole, bytes, before: async () => haveOnlyFirst(daemon, archives) },
      ...ours,
      // Last, so that the base goes into the daemon once a round.
      { name: EMPTY, command: whole, bytes, before: async () => daemon.empty() },
    ],
    goals: CODECS.flatMap((codec): Goal[] => {
      const name = `ours, ${codec}, base present`;
      return [
        { ours: name, against: WHOLE, atMost: limit },
        { ours: name, against: EMPTY, atMost: 0.15 },
      ];
    }),
  };
}

/** What `load --json` says that it sent, where it says so. */
function bytesSent(stdout: string): number {
  const { images }: { images: { bytesSent: number }[] } = JSON.parse(stdout);
  return images.reduce((total, image) => total + image.bytesSent, 0);
}

async function haveOnlyFirst(daemon: BenchDaemon, { first }: Archives): Promise<void> {
  await daemon.remove(SECOND);
  if (!(await daemon.has(FIRST))) await daemon.load(first);
}

async function haveBoth(daemon: BenchDaemon, { first, second }: Archives): Promise<void> {
  if (!(await daemon.has(FIRST))) await daemon.load(first);
  if (!(await daemon.has(SECOND))) await daemon.load(second);
}

async function saveRace(daemon: BenchDaemon, archives: Archives, lab: Lab): Promise<Race> {
  await haveBoth(daemon, archives);
  const contenders: Contender[] = [
    { name: NULL, command: `${daemon.docker} save ${SECOND} > /dev/null`, limit: true },
  ];
  for (const codec of CODECS) {
    const base = join(lab.folder, `delta-base-${daemon.kind}-${codec}`);
    await measure(ourSave(codec, `${FIRST} --host ${daemon.host}`, base, lab), lab);
    const layout = join(lab.folder, 'delta-layout');
    contenders.push({
      name: `ours, ${codec}, base in the layout`,
      ours: true,
      command: ourSave(codec, `${SECOND} --host ${daemon.host}`, layout, lab),
      before: async () => {
        await clear(layout)();
        await measure(`cp -a ${base} ${layout}`, lab);
      },
      bytes: bytesRead,
    });
  }
  const limit = SAVE_GOALS[daemon.kind];
  return {
    title: `save of what is missing, out of ${daemon.kind}`,
    about:
      `An image of ${(archives.size / 1e6).toFixed(0)} MB out of ${daemon.version} into a layout that has another one ` +
      'with the lower 5 of its 7 layers, saved from there. Bytes are those that the daemon was made to send.',
    serverCpu: () => daemon.cpuSeconds(),
    contenders,
    goals:
      limit === undefined
        ? []
        : CODECS.map((codec) => ({
            ours: `ours, ${codec}, base in the layout`,
            against: NULL,
            atMost: limit,
          })),
  };
}

async function bothRace(daemon: BenchDaemon, archives: Archives, lab: Lab): Promise<Race> {
  await haveBoth(daemon, archives);
  const { docker, host } = daemon;
  const out = join(lab.folder, 'both');
  const one = `${docker} save ${FIRST} ${SECOND} > /dev/null`;
  const separate = `${docker} save ${FIRST} > /dev/null && ${docker} save ${SECOND} > /dev/null`;
  const ours = (codec: Codec): Contender => ({
    name: `ours, ${codec}`,
    ours: true,
    command: ourSave(codec, `${FIRST} ${SECOND} --host ${host}`, out, lab),
    before: clear(out),
    bytes: bytesRead,
  });
  return {
    title: `two images that share layers, out of ${daemon.kind}`,
    about: `Two images with 5 of 7 layers in common out of ${daemon.version}. Bytes are those that the daemon sent.`,
    serverCpu: () => daemon.cpuSeconds(),
    contenders: [
      { name: 'docker save of both in one request > /dev/null', command: one, limit: true },
      { name: 'docker save of each > /dev/null', command: separate, limit: true },
      ...CODECS.map(ours),
    ],
    goals: [],
    close: () => daemon.stop(),
  };
}
