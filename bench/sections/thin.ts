/** From daemon to daemon with the base image in a registry: an artifact without it, against push and pull. */
import { join } from 'node:path';
import type { DaemonKind } from '../../test/system/support/daemons.ts';
import type { BenchDaemon } from '../bench-daemon.ts';
import { clear, type Codec, nodeFor, ourLoad, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { archivesOf, BASE, SECOND } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import { BenchRegistry, REGISTRY } from '../registry.ts';
import type { Goal } from '../statistics.ts';
import type { Journey } from './endtoend.ts';
import { asArtifact, throughRegistry } from './endtoend.ts';

const COLD = 'push and pull, registry and test daemon empty';
const WARM = 'push and pull, base at both ends';
const OURS_COLD = 'ours, thin, gzip, zip -6, test daemon empty';
const OURS_WARM = 'ours, thin, gzip, zip -6, base at both ends';
const REFERENCE = `${REGISTRY}/${BASE}`;

/** One race for each store of docker. */
export async function thinRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  const kinds: DaemonKind[] = ['docker-20.10', 'docker-28-graph', 'docker-28-containerd'];
  return lab.usable(kinds).map((kind) => async () => {
    const { base, second, size } = await archivesOf(kind, lab);
    const [build, test] = [await lab.start(kind), await lab.start(kind)];
    for (const archive of [base, second]) await build.load(archive);
    const registry = await BenchRegistry.start([build, test], lab);
    await fillRegistry(build, registry);
    const journey = { build, test, registry, lab };
    return {
      title: `from ${kind} to ${kind}`,
      about:
        `An image of ${(size / 1e6).toFixed(0)} MB, 7 layers, out of one daemon (${build.version}) and into another; 5 of the ` +
        'layers are its base, which ours leaves out of the artifact and reads from the registry where the test daemon lacks ' +
        "it. Info-ZIP's zip -6 and unzip stand in for the runner. Bytes are those of the artifact, or those that the registry " +
        'came to store. The rows of single steps say what each costs with the base at both ends.',
      serverCpu: () => build.cpuSeconds() + test.cpuSeconds() + registry.cpuSeconds(),
      contenders: contenders(journey),
      goals: goalsOf(kind),
      close: async () => {
        await build.stop();
        await test.stop();
      },
    };
  });
}

function goalsOf(kind: DaemonKind): Goal[] {
  return [
    { ours: OURS_COLD, against: COLD, atMost: 1 },
    { ours: OURS_WARM, against: WARM, atMost: kind === 'docker-28-containerd' ? 1.5 : 0.5 },
  ];
}

async function fillRegistry(build: BenchDaemon, registry: BenchRegistry): Promise<void> {
  for (const name of [BASE, SECOND]) await build.run('tag', name, `${REGISTRY}/${name}`);
  await build.run('push', '--quiet', REFERENCE);
  await registry.snapshot();
}

function contenders(journey: Journey): Contender[] {
  const { test, lab, registry } = journey;
  const clearJob = clear(join(lab.folder, 'job'));
  const cold = async (): Promise<void> => {
    await clearJob();
    await test.empty();
    await registry.restore();
  };
  const warm = async (): Promise<void> => {
    await clearJob();
    await registry.restore();
    for (const name of [SECOND, `${REGISTRY}/${SECOND}`]) await test.remove(name);
    if (!(await test.has(REFERENCE))) await test.run('pull', '--quiet', REFERENCE);
  };
  const nothing = async (): Promise<void> => {
    await cold();
    await registry.empty();
  };
  return [
    throughRegistry(COLD, journey, nothing),
    ours(OURS_COLD, journey, 'gzip', cold),
    ours('ours, thin, zstd, zip -6, test daemon empty', journey, 'zstd', cold),
    throughRegistry(WARM, journey, warm),
    ours(OURS_WARM, journey, 'gzip', warm),
    ours('ours, thin, zstd, zip -6, base at both ends', journey, 'zstd', warm),
    ...steps(journey, warm),
  ];
}

/** Each daemon has a registry on its own loopback: whoever is to reach it has to be there as well. */
function at({ pid }: BenchDaemon, command: string): string {
  return `nsenter --net=/proc/${pid}/ns/net ${command}`;
}

function commands({ build, test, lab }: Journey, codec: Codec): { save: string; load: string } {
  const save = ourSave(
    codec,
    `${SECOND} --thin always --base ${REFERENCE} --host ${build.host}`,
    'job/files/layout',
    lab,
  );
  const load = ourLoad(nodeFor(codec, lab), `job/restored/layout --private --host ${test.host}`);
  return { save: at(build, save), load: at(test, load) };
}

function ours(name: string, journey: Journey, codec: Codec, before: () => Promise<void>): Contender {
  const { save, load } = commands(journey, codec);
  return asArtifact(name, journey.lab, { save, level: 6, load, before, ours: true });
}

/** What the ways consist of, each by itself. */
function steps(journey: Journey, before: () => Promise<void>): Contender[] {
  const { build, test, lab } = journey;
  const { save, load } = commands(journey, 'gzip');
  const zip = '(cd job/files && zip -q -r -6 ../artifact.zip .)';
  const unzip = 'unzip -q job/artifact.zip -d job/restored';
  const pushed = `${REGISTRY}/${SECOND}`;
  const step = (name: string, command: string, ...done: string[]): Contender => ({
    name: `step: ${name}`,
    // A part is no alternative to the whole.
    limit: true,
    command,
    before: async () => {
      await before();
      await measure(['mkdir -p job/files', ...done].join(' && '), lab);
    },
  });
  return [
    step('thin save', save),
    step('zip and unzip', `${zip} && ${unzip}`, save),
    step('load', load, save, zip, unzip),
    step('push', `${build.docker} push -q ${pushed}`),
    step('pull', `${test.docker} pull -q ${pushed}`, `${build.docker} push -q ${pushed}`),
  ];
}
