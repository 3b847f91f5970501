/** From the build daemon to the test daemon: through a registry, or as a job artifact that the runner zips. */
import { join } from 'node:path';
import type { BenchDaemon } from '../bench-daemon.ts';
import { bytesOf, clear, type Codec, nodeFor, ourLoad, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { archivesOf, FIRST, SECOND } from '../images.ts';
import type { Lab } from '../lab.ts';
import { BenchRegistry, REGISTRY } from '../registry.ts';
import type { Goal } from '../statistics.ts';
import { fullOption } from './load.ts';

const COLD = 'push and pull, registry and test daemon empty';
const WARM = 'push and pull, base in registry and test daemon';
const GZIP = 'save | gzip, zip -6';
const ZSTD = 'save | zstd -3, zip -0';
const ZSTD_WARM = 'save | zstd -3, zip -0, base in test daemon';
const OURS_ZSTD = 'ours, zstd, zip -0';
const OURS_WARM = 'ours, zstd, zip -0, base in test daemon';

/** Of the time of {@link ZSTD}, with the test daemon empty and with the base in it. */
const ZSTD_GOALS = {
  'docker-20.10': { cold: 0.95, warm: 0.8 },
  'docker-28-graph': { cold: 0.9, warm: 0.7 },
  'docker-28-containerd': { cold: 0.9, warm: 0.6 },
} as const;
const KINDS = ['docker-20.10', 'docker-28-graph', 'docker-28-containerd'] as const;

function goalsOf(kind: (typeof KINDS)[number]): Goal[] {
  const { cold, warm } = ZSTD_GOALS[kind];
  return [
    { ours: OURS_ZSTD, against: ZSTD, atMost: cold },
    { ours: OURS_WARM, against: ZSTD_WARM, atMost: warm },
    { ours: 'ours, zstd, zip -6', against: GZIP, atMost: 1 },
    { ours: 'ours, gzip, zip -6', against: GZIP, atMost: 1 },
    { ours: OURS_ZSTD, against: COLD, atMost: 1 },
    { ours: OURS_WARM, against: WARM, atMost: 1 },
  ];
}

/** What all contenders share. */
export interface Journey {
  build: BenchDaemon;
  test: BenchDaemon;
  registry: BenchRegistry;
  lab: Lab;
}

/** One race between two daemons of each store of docker. */
export async function endToEndRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  return KINDS.filter((kind) => lab.usable([kind]).length > 0).map((kind) => async () => {
    const { first, second, size } = await archivesOf(kind, lab);
    const [build, test] = [await lab.start(kind), await lab.start(kind)];
    await build.load(first);
    await build.load(second);
    const registry = await BenchRegistry.start([build, test], lab);
    await fillRegistry(build, registry);
    const journey = { build, test, registry, lab };
    return {
      title: `from ${kind} to ${kind}`,
      about:
        `An image of ${(size / 1e6).toFixed(0)} MB, 7 layers, out of one daemon (${build.version}) and into another. ` +
        "Info-ZIP's zip -6 and unzip, one thread, stand in for the runner's Deflate; zip -0 for its fastzip at level " +
        'fastest. The way to and from the coordinator is left out for all. Bytes are those of the artifact, or those ' +
        'that the registry came to store. The base is 5 of the 7 layers.',
      serverCpu: () => build.cpuSeconds() + test.cpuSeconds() + registry.cpuSeconds(),
      contenders: await contenders(journey),
      goals: goalsOf(kind),
      close: async () => {
        await build.stop();
        await test.stop();
      },
    };
  });
}

async function fillRegistry(build: BenchDaemon, registry: BenchRegistry): Promise<void> {
  for (const name of [FIRST, SECOND]) await build.run('tag', name, `${REGISTRY}/${name}`);
  await build.run('push', '--quiet', `${REGISTRY}/${FIRST}`);
  await registry.snapshot();
}

async function contenders(journey: Journey): Promise<Contender[]> {
  const { test, lab } = journey;
  const full = await fullOption(lab);
  const empty = async (): Promise<void> => {
    await test.empty();
    await clear(join(lab.folder, 'job'))();
  };
  const base = async (): Promise<void> => haveBase(journey);
  const stream = `${journey.build.docker} save ${SECOND}`;
  const gzip = {
    save: `${stream} | gzip > job/files/image.tar.gz`,
    load: `gzip -dc job/restored/image.tar.gz | ${test.docker} load -q`,
  };
  const zstd = {
    save: `${stream} | zstd -q -T0 -3 > job/files/image.tar.zst`,
    load: `zstd -q -dc job/restored/image.tar.zst | ${test.docker} load -q`,
  };
  const noDigests = { remark: 'whole archive each time; no digest is checked by the client' };
  return [
    throughRegistry(COLD, journey, async () => {
      await empty();
      await journey.registry.empty();
    }),
    asArtifact(GZIP, lab, { ...gzip, level: 6, before: empty, ...noDigests }),
    asArtifact(ZSTD, lab, { ...zstd, level: 0, before: empty, ...noDigests }),
    ours('ours, gzip, zip -6', journey, { codec: 'gzip', level: 6, options: full, before: empty }),
    ours('ours, zstd, zip -6', journey, { codec: 'zstd', level: 6, options: full, before: empty }),
    ours(OURS_ZSTD, journey, { codec: 'zstd', level: 0, options: full, before: empty }),
    throughRegistry(WARM, journey, base),
    asArtifact(ZSTD_WARM, lab, { ...zstd, level: 0, before: base, ...noDigests }),
    ours(OURS_WARM, journey, { codec: 'zstd', level: 0, before: base }),
  ];
}

/** The registry holds the base, and the test daemon has pulled it: then a later pull knows its layers. */
async function haveBase({ test, registry, lab }: Journey): Promise<void> {
  await clear(join(lab.folder, 'job'))();
  await registry.restore();
  await test.remove(SECOND);
  await test.remove(`${REGISTRY}/${SECOND}`);
  if (!(await test.has(`${REGISTRY}/${FIRST}`))) await test.run('pull', '--quiet', `${REGISTRY}/${FIRST}`);
}

/** `docker push` and `docker pull`. */
export function throughRegistry(
  name: string,
  { build, test, registry }: Journey,
  before: () => Promise<void>,
): Contender {
  const reference = `${REGISTRY}/${SECOND}`;
  let stored = 0;
  return {
    name,
    remark:
      'needs a registry, its credentials and its cleaning; the better choice where many jobs pull one image',
    command: `${build.docker} push -q ${reference} && ${test.docker} pull -q ${reference}`,
    before: async () => {
      await before();
      stored = await registry.bytes();
    },
    bytes: async () => (await registry.bytes()) - stored,
  };
}

/** A way by files that the runner zips. */
export interface Artifact {
  /** Puts files into `job/files`. */
  save: string;
  /** Of the zip. */
  level: number;
  /** Takes them from `job/restored`. */
  load: string;
  before: () => Promise<void>;
  remark?: string;
  ours?: boolean;
}

/** What a job puts into its artifact, and another one takes from it. */
export function asArtifact(name: string, lab: Lab, { save, level, load, ...rest }: Artifact): Contender {
  const zip = `(cd job/files && zip -q -r -${level} ../artifact.zip .)`;
  const unzip = 'unzip -q job/artifact.zip -d job/restored';
  return {
    name,
    command: ['mkdir -p job/files', save, zip, unzip, load].join(' && '),
    bytes: () => bytesOf(join(lab.folder, 'job/artifact.zip')),
    ...rest,
  };
}

function ours(
  name: string,
  { build, test, lab }: Journey,
  how: { codec: Codec; level: number; options?: string; before: () => Promise<void> },
): Contender {
  const { codec, level, options = '', before } = how;
  const save = ourSave(codec, `${SECOND} --host ${build.host}`, 'job/files/layout', lab);
  const load = ourLoad(nodeFor(codec, lab), `job/restored/layout ${options} --private --host ${test.host}`);
  return asArtifact(name, lab, { save, level, load, before, ours: true });
}
