import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { Layout } from '../../src/layout/layout.ts';
import { digestHex } from '../../src/oci/digest.ts';
import { snapshot, tempFolder } from './folders.ts';
import { addSample, sampleImage } from '../../src/testing/sample-images.ts';

const APP = sampleImage(['base', 'app']);
const BASE = APP.layers[0] ?? APP.root;
const BLOB = `blobs/sha256/${digestHex(BASE.digest)}`;

/** A layout whose file or folder of this name was moved out of it, with a link to it in its place. */
async function layoutWithLink(
  name: string,
  link: (target: string, path: string) => void,
): Promise<{ layout: Layout; folder: string; path: string }> {
  const folder = tempFolder();
  const layout = await Layout.create(join(folder, 'layout'));
  await layout.update((transaction) => addSample(transaction, APP, ['app']));
  const path = join(layout.path, name);
  renameSync(path, join(folder, 'outside'));
  link(join(folder, 'outside'), path);
  return { layout, folder, path: path.replace(/\/$/, '') };
}

/** Everything that reads the layout. */
async function read(layout: Layout): Promise<void> {
  await Layout.open(layout.path);
  await layout.images();
  await layout.has(BASE);
  await buffer(await layout.open(BASE));
}

const SYMLINK_PLACES = ['', 'oci-layout', 'index.json', 'manifest.json', 'blobs', 'blobs/sha256', BLOB];

describe('a symbolic link in a layout is refused', () => {
  test.each(SYMLINK_PLACES.filter((name) => name !== 'manifest.json'))('on reading, as %j', async (name) => {
    const { layout, path } = await layoutWithLink(name, symlinkSync);
    const message: unknown = expect.stringContaining(`${path} is a symbolic link`);
    await expect(read(layout)).rejects.toMatchObject({ code: 'LINK', message, facts: { path } });
  });

  test.each(SYMLINK_PLACES)('on writing, as %j, and nothing is written through it', async (name) => {
    const { layout, folder, path } = await layoutWithLink(name, symlinkSync);
    const before = snapshot(folder);
    const update = layout.update((transaction) =>
      addSample(transaction, sampleImage(['base', 'new']), ['new']),
    );
    await expect(update).rejects.toMatchObject({ code: 'LINK', facts: { path } });
    expect(snapshot(folder)).toEqual(before);
  });

  test.each(SYMLINK_PLACES)('on writing, as %j that leads nowhere', async (name) => {
    const { layout, folder } = await layoutWithLink(name, symlinkSync);
    rmSync(join(folder, 'outside'), { recursive: true });
    const update = layout.update((transaction) =>
      addSample(transaction, sampleImage(['base', 'new']), ['new']),
    );
    await expect(update).rejects.toMatchObject({ code: 'LINK' });
    expect(snapshot(folder).join('\n')).not.toContain('outside folder');
  });

  test('where the layout is to be created', async () => {
    const folder = tempFolder();
    mkdirSync(join(folder, 'elsewhere'));
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'layout'));
    await expect(Layout.create(join(folder, 'layout'))).rejects.toMatchObject({ code: 'LINK' });
  });

  test.each(['home', 'lock'])('as the %s of the staging', async (kind) => {
    const folder = tempFolder();
    const layout = await Layout.create(join(folder, 'layout'));
    const home = join(folder, '.layout.drayage');
    mkdirSync(join(folder, 'elsewhere'));
    writeFileSync(join(folder, 'elsewhere/precious'), 'x');
    if (kind === 'lock') mkdirSync(home);
    symlinkSync(join(folder, 'elsewhere'), kind === 'lock' ? join(home, 'lock') : home);
    const before = snapshot(folder);
    const update = layout.update((transaction) => addSample(transaction, APP));
    await expect(update).rejects.toMatchObject({ code: 'LINK' });
    expect(snapshot(folder)).toEqual(before);
  });
});

describe.runIf(process.platform === 'linux')('a folder that a link replaces during an update', () => {
  test.each(['.layout.drayage', 'tx', 'layout', 'layout/blobs', 'layout/blobs/sha256'])(
    '%s: nothing behind the link is written, moved or removed',
    async (name) => {
      const folder = tempFolder();
      const layout = await Layout.create(join(folder, 'layout'));
      await layout.update((transaction) => addSample(transaction, APP, ['app']));
      // What an update would take for its own: staged blobs, files and folders of a layout.
      const victim = join(folder, 'victim');
      for (const inner of ['sha256', 'blobs/sha256', 'lock'])
        mkdirSync(join(victim, inner), { recursive: true });
      for (const file of ['1-blob', '2-blob', 'lease', 'index.json', 'oci-layout', 'lock/file'])
        writeFileSync(join(victim, file), 'precious');
      const before = snapshot(victim);
      const update = layout.update(async (transaction) => {
        await addSample(transaction, sampleImage(['base', 'new']), ['new']);
        const [staged = ''] = readdirSync(join(folder, '.layout.drayage'));
        const place = join(folder, name === 'tx' ? `.layout.drayage/${staged}` : name);
        renameSync(place, join(folder, 'moved'));
        symlinkSync(victim, place);
      });
      await update.catch(() => {});
      expect(snapshot(victim)).toEqual(before);
    },
  );
});

describe('what is no regular file of its own is refused', () => {
  test.each(['oci-layout', 'index.json', BLOB])('a hard link as %s', async (name) => {
    const { layout, path } = await layoutWithLink(name, linkSync);
    await expect(read(layout)).rejects.toMatchObject({ code: 'LINK', facts: { path } });
  });

  test.each(['oci-layout', 'index.json', BLOB])('a folder as %s', async (name) => {
    const { layout, path } = await layoutWithLink(name, (_, place) => mkdirSync(place));
    await expect(read(layout)).rejects.toMatchObject({ code: 'LINK', facts: { path } });
  });

  test.runIf(process.platform === 'linux').each(['index.json', BLOB])('a pipe as %s', async (name) => {
    const { layout, path } = await layoutWithLink(name, (_, place) => void execFileSync('mkfifo', [place]));
    await expect(read(layout)).rejects.toMatchObject({ code: 'LINK', facts: { path } });
  });

  test.each(['blobs', 'blobs/sha256'])('a file as %s', async (name) => {
    const { layout, path } = await layoutWithLink(name, (_, place) => writeFileSync(place, ''));
    await expect(read(layout)).rejects.toMatchObject({ code: 'LINK', facts: { path } });
  });
});
