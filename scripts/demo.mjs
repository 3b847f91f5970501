// Carries two small real images out of a daemon into a layout, and from there back into the daemon. Without a daemon it
// uses an archive that `docker save` wrote. Removes everything that it made.
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectDocker, exportArchive, inspect, Layout, load, save, verify } from '../dist/index.js';

const archive = fileURLToPath(new URL('../fixtures/demo.tar', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'drayage-demo-'));
const say = (text = '') => console.log(text);
const kb = (bytes) => `${(bytes / 1000).toFixed(0)} kB`;
const fromArchive = () => ({ archive: createReadStream(archive) });

async function reachDaemon() {
  try {
    return await connectDocker({ host: process.env.DOCKER_HOST || undefined });
  } catch (error) {
    say(`No daemon (${error.message}):`);
    say('using an archive that docker save wrote instead.\n');
    return undefined;
  }
}

function tellSaved({ images, bytes, seconds }) {
  for (const { name, id, layers } of images) {
    const reused = layers.filter(({ status }) => status === 'reused').length;
    say(
      `    ${name ?? '(no name)'}  ${id.slice(0, 19)}…  ${layers.length} layers, ${reused} of them already there`,
    );
  }
  say(`    read ${kb(bytes.read)}, stored ${kb(bytes.written)} in ${seconds.toFixed(2)} s`);
}

async function tellVerified(layout) {
  const { blobs, bytes, problems } = await verify({ layout });
  for (const problem of problems) throw problem;
  say(`    ${blobs} blobs, ${kb(bytes)}: every digest, size and diffID is correct`);
}

/** Loads the demo images into the daemon under unique tags. Adds each tag to `refs` before it is set. */
async function stage(daemon, refs) {
  const staging = await Layout.create(join(folder, 'staging'));
  await save({ from: fromArchive(), to: staging, compress: 'none' });
  for (const { ref } of (await inspect({ from: [staging] })).images) refs.push(ref);
  await load({ from: [staging], to: daemon, names: 'unique' });
}

async function withDaemon(daemon) {
  const refs = [];
  try {
    await stage(daemon, refs);
    const layout = await Layout.create(join(folder, 'layout'));
    say(`1.  save: two images out of the daemon at ${daemon.host} into an OCI layout`);
    tellSaved(await save({ from: daemon, images: [...refs], to: layout }));
    say('\n2.  the artifact goes to the next job, whose daemon does not have the images');
    for (const ref of refs) await daemon.remove(ref);
    await tellVerified(layout);
    say('\n3.  load: into the daemon, verified before and after');
    const { images, seconds } = await load({ from: [layout], to: daemon, names: 'unique', tags: [] });
    for (const image of images) {
      say(`    ${image.ref}  ${image.status}, ${kb(image.bytesSent)} sent`);
      refs.push(image.ref);
    }
    say(`    in ${seconds.toFixed(2)} s`);
  } finally {
    for (const ref of new Set(refs)) await daemon.remove(ref).catch(() => {});
    say('\nThe demo removed its images.');
  }
}

async function withoutDaemon() {
  const layout = await Layout.create(join(folder, 'layout'));
  say('1.  save: two images out of an archive into an OCI layout');
  tellSaved(await save({ from: fromArchive(), to: layout }));
  say('\n2.  save again: the layout has everything already');
  tellSaved(await save({ from: fromArchive(), to: layout }));
  say('\n3.  the artifact goes to the next job, which verifies it');
  await tellVerified(layout);
  say('\n4.  load: into an archive instead of a daemon, which save then reads back');
  const back = await Layout.create(join(folder, 'back'));
  tellSaved(await save({ from: { archive: await exportArchive({ from: [layout] }) }, to: back }));
}

try {
  const daemon = await reachDaemon();
  if (daemon === undefined) await withoutDaemon();
  else {
    await withDaemon(daemon);
    await daemon.close();
  }
  say('\nNext: docker build --iidfile id . && node dist/cli/bin.js save --iidfile id');
} finally {
  await rm(folder, { recursive: true, force: true });
}
