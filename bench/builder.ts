/** A builder that writes images and layouts, and what is beside it. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { DaemonKind } from '../test/system/support/daemons.ts';
import { largeContext } from '../test/system/support/images.ts';
import type { BenchDaemon } from './bench-daemon.ts';
import { ourAdopt } from './commands.ts';
import type { Lab } from './lab.ts';
import { measure } from './measure.ts';
import { BenchRegistry, REGISTRY } from './registry.ts';

/** The store whose builder writes a layout. */
export const KIND: DaemonKind = 'docker-28-containerd';
export const NAME: string = 'bench/adopt:1';
export const REFERENCE: string = `${REGISTRY}/${NAME}`;

/** What all contenders share. */
export interface Builder {
  daemon: BenchDaemon;
  /** Where the images go to. */
  test: BenchDaemon;
  registry: BenchRegistry;
  lab: Lab;
  /** The context of the builds. */
  context: string;
}

/** Seven large layers, or small ones; one more that every build changes. */
export async function prepare(daemon: BenchDaemon, lab: Lab): Promise<Builder> {
  const context = join(lab.folder, 'context');
  await mkdir(context);
  const steps = lab.options.quick ? await smallContext(context) : await largeContext(context);
  const lines = ['FROM scratch', ...steps, 'COPY change /', 'CMD ["/change"]', ''];
  await writeFile(join(context, 'Dockerfile'), lines.join('\n'));
  const test = await lab.start(KIND);
  const registry = await BenchRegistry.start([daemon, test], lab);
  const builder = { daemon, test, registry, lab, context };
  await change(builder);
  await measure(build(builder, image()), lab);
  await push(builder);
  await registry.snapshot();
  return builder;
}

async function smallContext(context: string): Promise<string[]> {
  await writeFile(join(context, 'small'), (await readFile(process.execPath)).subarray(0, 5_000_000));
  return ['COPY small /'];
}

/** Another content of the last layer. */
export async function change({ context }: Builder): Promise<void> {
  await writeFile(join(context, 'change'), randomBytes(1_000_000));
}

async function push({ daemon }: Builder): Promise<void> {
  await daemon.run('tag', NAME, REFERENCE);
  await daemon.run('push', '--quiet', REFERENCE);
}

/** The output that is an image of the daemon. */
export function image(): string {
  return `--output type=image,name=${NAME}`;
}

/** The output that is a layout, `job/layout`. */
export function layout(): string {
  return `--output type=oci,tar=false,dest=job/layout,name=${NAME}`;
}

/** `docker buildx build`, with the settings of the daemon's own client, which knows its plugins. */
export function build({ daemon, context }: Builder, outputs: string): string {
  const config = join(dirname(daemon.socket), 'c');
  return `DOCKER_CONFIG=${config} ${daemon.docker} buildx build -q --metadata-file job.json ${outputs} ${context} > job.id`;
}

/** Saves what the builder has written, in place. */
export function adopt(lab: Lab, options = ''): string {
  return ourAdopt(`--metadata-file job.json ${options}`, 'job/layout', lab);
}
