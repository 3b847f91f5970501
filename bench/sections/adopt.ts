/** What buildx writes into the layout itself: adopted, against a save and against a push of the same image. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Builder } from '../builder.ts';
import { adopt, build, change, image, KIND, layout, NAME, prepare, REFERENCE } from '../builder.ts';
import { bytesOf, clear, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import { journeyRace } from './basejourney.ts';

const EMPTY = 'docker push, registry empty';
const CHANGED = 'docker push of one changed layer';
const HASH = 'openssl sha256 of all blobs, on all cores';
const BUILD = 'build';
const SAVE = 'build, then save';
const ADOPT = 'ours, adopt';
const SECOND = 'ours, second output of a build, adopt';

/** One race for the adoption alone, one for the way to the next job, one for the build side. */
export async function adoptRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  return lab.usable([KIND]).flatMap((kind) => {
    let started: Promise<Builder> | undefined;
    const builder = async (): Promise<Builder> => {
      started ??= lab.start(kind).then((daemon) => prepare(daemon, lab));
      return started;
    };
    return [
      async () => adoptRace(await builder()),
      async () => journeyRace(await builder()),
      async () => buildRace(await builder()),
    ];
  });
}

async function adoptRace(builder: Builder): Promise<Race> {
  const { daemon, registry, lab } = builder;
  const job = join(lab.folder, 'job');
  const built = async (): Promise<void> => {
    await clear(job)();
    await mkdir(job, { recursive: true });
    await change(builder);
    await measure(build(builder, `${image()} ${layout()}`), lab);
    await daemon.run('tag', NAME, REFERENCE);
  };
  await built();
  const bytes = async (): Promise<number> => bytesOf(join(job, 'layout'));
  const pushing = `${daemon.docker} push -q ${REFERENCE}`;
  const hashing = 'ls job/layout/blobs/sha256/* | xargs -P "$(nproc)" -n 2 openssl dgst -sha256';
  const contenders: Contender[] = [
    {
      name: EMPTY,
      command: pushing,
      before: async () => {
        await built();
        await registry.empty();
      },
      bytes: () => registry.bytes(),
    },
    {
      name: CHANGED,
      command: pushing,
      before: async () => {
        await built();
        await registry.restore();
      },
    },
    { name: HASH, limit: true, command: hashing, before: built },
    { name: ADOPT, ours: true, command: adopt(lab), before: built, bytes },
  ];
  return {
    title: `of what buildx wrote in ${KIND}`,
    about:
      `An image of ${((await bytes()) / 1e6).toFixed(0)} MB of gzip layers, which BuildKit of ${daemon.version} wrote as an image ` +
      'and as a layout. Ours adopts the layout; docker pushes the image to docker-registry 2.8 on the loopback of the daemon. ' +
      'Bytes are those of the layout, or of the registry.',
    serverCpu: () => daemon.cpuSeconds() + registry.cpuSeconds(),
    contenders,
    goals: [
      { ours: ADOPT, against: EMPTY, atMost: 1 },
      { ours: ADOPT, against: CHANGED, atMost: 1 },
      { ours: ADOPT, metric: 'peakMemory', atMost: 128e6 },
    ],
  };
}

async function buildRace(builder: Builder): Promise<Race> {
  const { daemon, registry, lab } = builder;
  const job = join(lab.folder, 'job');
  const start = async (): Promise<void> => {
    await clear(job)();
    await mkdir(job, { recursive: true });
    await change(builder);
  };
  const saving = ourSave('zstd', `${NAME} --host ${daemon.host}`, 'job/layout', lab);
  const tagged = `${daemon.docker} tag ${NAME} ${REFERENCE} && ${daemon.docker} push -q ${REFERENCE}`;
  const bytes = async (): Promise<number> => bytesOf(join(job, 'layout'));
  return {
    title: `build side in ${KIND}`,
    about:
      'A build that changes the last layer of that image, 1 MB, and what the job does to hand it on. The second output ' +
      'of a build is what adopting costs beside the build: the image is in the daemon already. Bytes are those of the layout.',
    serverCpu: () => daemon.cpuSeconds() + registry.cpuSeconds(),
    contenders: [
      { name: BUILD, limit: true, command: build(builder, image()), before: start },
      { name: SAVE, command: `${build(builder, image())} && ${saving}`, before: start, bytes },
      { name: 'build, then docker push', command: `${build(builder, image())} && ${tagged}`, before: start },
      {
        name: 'ours, build with both outputs, adopt',
        ours: true,
        command: `${build(builder, `${image()} ${layout()}`)} && ${adopt(lab)}`,
        before: start,
        bytes,
      },
      {
        name: SECOND,
        ours: true,
        command: `${build(builder, layout())} && ${adopt(lab)}`,
        before: async () => {
          await start();
          await measure(build(builder, image()), lab);
        },
        bytes,
      },
    ],
    goals: [{ ours: SECOND, against: SAVE, atMost: 0.25 }],
    close: () => daemon.stop(),
  };
}
