/** A layout into a registry on this machine, and once more when nothing is missing there. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestRegistry } from '../../test/system/support/registry.ts';
import { registrySkipReason, startRegistry } from '../../test/system/support/registry.ts';
import { bytesOf, type Codec, ourPromote, ourSave } from '../commands.ts';
import type { Contender, Race } from '../contender.ts';
import { archivesOf, FIRST } from '../images.ts';
import type { Lab } from '../lab.ts';
import { measure } from '../measure.ts';
import { processCpuSeconds } from '../server-cpu.ts';

/** Whose archive the layouts are made of: uncompressed layers, compressed by us. */
const KIND = 'docker-28-graph';
const SKOPEO = 'skopeo copy oci: docker://';
const START = 'the start of promote, which then lacks a layout';

/** Two races for each codec. */
export async function promoteRaces(lab: Lab): Promise<(() => Promise<Race>)[]> {
  const reason = registrySkipReason();
  if (reason !== undefined) lab.say(`promote: left out: ${reason}`);
  if (reason !== undefined || lab.usable([KIND]).length === 0) return [];
  return (['gzip', 'zstd'] as const).flatMap((codec) => [
    async () => race(codec, 'first', lab),
    async () => race(codec, 'again', lab),
  ]);
}

async function race(codec: Codec, which: 'first' | 'again', lab: Lab): Promise<Race> {
  const { first, size } = await archivesOf(KIND, lab);
  const layout = join(lab.folder, `promote-${codec}`);
  await measure(ourSave(codec, `--from ${first}`, layout, lab), lab);
  const registry = await startRegistry();
  const empty = async (): Promise<void> =>
    rm(join(registry.storage, 'docker'), { recursive: true, force: true });
  const ours = `ours, ${codec}`;
  const theirs = `${SKOPEO} (${codec})`;
  const promote = (from: string): string =>
    ourPromote(codec, `${FIRST} ${registry.host}/ours:1 --from ${from}`, lab);
  const contenders = [
    { name: theirs, command: skopeo(layout, registry) },
    { name: START, limit: true, command: `! ${promote(`${layout}.none`)}` },
    { name: ours, ours: true, command: promote(layout) },
  ].map((contender): Contender => ({
    ...contender,
    ...(which === 'first' && { before: empty }),
    bytes: () => bytesOf(registry.storage),
  }));
  if (which === 'again') for (const { command } of contenders) await measure(command, lab);
  return {
    title: which === 'first' ? `to an empty registry, ${codec}` : `the same again, ${codec}`,
    about:
      `A layout with ${codec} layers of an image whose docker save archive has ${(size / 1e6).toFixed(0)} MB, 7 layers, ` +
      `to docker-registry 2.8 on the loopback. Bytes are those that it stores${which === 'again' ? ', of both contenders' : ''}.`,
    serverCpu: () => processCpuSeconds(registry.pid),
    contenders,
    goals: [
      { ours, against: theirs, atMost: 1 },
      { ours, against: theirs, metric: 'bytes', atMost: 1.1 },
      ...(which === 'again'
        ? [{ ours, against: START, metric: 'cpuSeconds', atMost: 1, plus: 0.15 } as const]
        : []),
    ],
    close: () => registry.stop(),
  };
}

function skopeo(layout: string, { host }: TestRegistry): string {
  const copy = 'skopeo --insecure-policy copy -q --dest-tls-verify=false --dest-no-creds';
  return `${copy} oci:${layout}:${FIRST} docker://${host}/skopeo:1`;
}
