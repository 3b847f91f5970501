/** A whole image into a daemon that has no layer of it. */
import { join } from 'node:path';
import { DAEMON_KINDS } from '../../test/system/support/daemons.ts';
import type { BenchDaemon } from '../bench-daemon.ts';
import { bytesOf, type Codec, naiveLoad, ourLoad, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { archivesOf, FIRST } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import { speaksToSkopeo } from './save.ts';
import type { Goal } from '../statistics.ts';

const ZSTD = 'zstd -dc | docker load';

const GOALS: readonly Goal[] = [
  { ours: 'ours, none', against: ZSTD, atMost: 1.05 },
  { ours: 'ours, gzip', against: ZSTD, atMost: 1.05 },
  { ours: 'ours, zstd', against: ZSTD, atMost: 1.05 },
  { ours: 'ours, none', metric: 'peakMemory', atMost: 128e6 },
  { ours: 'ours, gzip', metric: 'peakMemory', atMost: 256e6 },
  { ours: 'ours, zstd', metric: 'peakMemory', atMost: 256e6 },
];

/** Two races for each kind of daemon: what is empty, and what has the image. */
export async function loadRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  return lab.usable(DAEMON_KINDS).flatMap((kind) => {
    let started: Promise<BenchDaemon> | undefined;
    const daemon = async (): Promise<BenchDaemon> => (started ??= lab.start(kind));
    return [async () => wholeRace(await daemon(), lab), async () => nothingRace(await daemon(), lab)];
  });
}

async function wholeRace(daemon: BenchDaemon, lab: Lab): Promise<Race> {
  const { kind } = daemon;
  const { first, size } = await archivesOf(kind, lab);
  return {
    title: `into ${kind}`,
    about:
      `An image of ${(size / 1e6).toFixed(0)} MB, 7 layers, into ${daemon.version}, which is empty each time. ` +
      'Bytes are those stored before.',
    serverCpu: () => daemon.cpuSeconds(),
    contenders: await contenders(daemon, first, lab),
    goals: kind === 'docker-28-containerd' || kind === 'podman' ? [] : GOALS,
  };
}

async function nothingRace(daemon: BenchDaemon, lab: Lab): Promise<Race> {
  const { first } = await archivesOf(daemon.kind, lab);
  const layout = join(lab.folder, `nothing-${daemon.kind}`);
  await measure(ourSave('zstd', `--from ${first}`, layout, lab), lab);
  const ours = 'ours, nothing to load';
  return {
    title: `nothing to do, ${daemon.kind}`,
    about: `The image is in ${daemon.version} already.`,
    serverCpu: () => daemon.cpuSeconds(),
    contenders: [
      { name: 'docker load', command: `${daemon.docker} load -q < ${first}` },
      {
        name: ours,
        ours: true,
        command: ourLoad(lab.node24, `${layout} --private --host ${daemon.host}`),
        before: async () => {
          if (!(await daemon.has(FIRST))) await daemon.load(first);
        },
      },
    ],
    goals: [{ ours, atMost: 0.2 }],
    close: () => daemon.stop(),
  };
}

/** `--full` where this version knows it: to leave layers out is another section's matter. */
export async function fullOption(lab: Lab): Promise<string> {
  const { stdout } = await measure(ourLoad(lab.node, '--help'), lab);
  return stdout.includes('--full') ? '--full' : '';
}

async function contenders(daemon: BenchDaemon, archive: string, lab: Lab): Promise<Contender[]> {
  const { docker, host, socket } = daemon;
  const compressed = `${archive}.gz ${archive}.zst`;
  await measure(`gzip -kf ${archive}; zstd -q -kf -3 -T0 ${archive}; ls ${compressed}`, lab);
  const layouts = { none: await layout('none'), gzip: await layout('gzip'), zstd: await layout('zstd') };
  const options = `${await fullOption(lab)} --private --host ${host}`;
  const make = (name: string, stored: string, command: string, rest: Partial<Contender> = {}): Contender => ({
    name,
    command,
    before: () => daemon.empty(),
    bytes: () => bytesOf(stored),
    ...rest,
  });
  const our = (name: string, node: string, codec: Codec): Contender =>
    make(name, layouts[codec], ourLoad(node, `${layouts[codec]} ${options}`), { ours: true });
  const unchecked = { remark: 'no digest is checked before or after by the client' };
  return [
    make('docker load', archive, `${docker} load -q < ${archive}`, unchecked),
    make('gzip -dc | docker load', `${archive}.gz`, `gzip -dc ${archive}.gz | ${docker} load -q`, unchecked),
    make(ZSTD, `${archive}.zst`, `zstd -q -dc ${archive}.zst | ${docker} load -q`, unchecked),
    make('skopeo copy oci: docker-daemon:', layouts.gzip, skopeo(daemon, layouts.gzip, lab), {
      remark: skopeoRemark(daemon),
    }),
    make('naive, gzip', layouts.gzip, naiveLoad(layouts.gzip, socket, lab), unchecked),
    our('ours, none', lab.node, 'none'),
    our('ours, gzip', lab.node, 'gzip'),
    our('ours, zstd', lab.node24, 'zstd'),
    our('ours, zstd, on the older Node', lab.node, 'zstd'),
  ];

  async function layout(codec: Codec): Promise<string> {
    const folder = join(lab.folder, `load-${daemon.kind}-${codec}`);
    await measure(ourSave(codec, `--from ${archive}`, folder, lab), lab);
    return folder;
  }
}

function skopeo(daemon: BenchDaemon, layout: string, lab: Lab): string {
  const copy = `skopeo --insecure-policy copy -q oci:${layout}:${FIRST}`;
  if (speaksToSkopeo(daemon)) return `${copy} --dest-daemon-host ${daemon.host} docker-daemon:${FIRST}`;
  const archive = join(lab.folder, 'skopeo.tar');
  const load = `${daemon.docker} load -q < ${archive}`;
  return `rm -f ${archive}; ${copy} docker-archive:${archive}:${FIRST} && ${load} && rm ${archive}`;
}

function skopeoRemark(daemon: BenchDaemon): string {
  const how = speaksToSkopeo(daemon)
    ? ''
    : '; here skopeo copy oci: docker-archive:FILE && docker load < FILE';
  return `from the layout with gzip layers${how}`;
}
