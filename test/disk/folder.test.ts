import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inFolder, lookBelow, openBelow, removeBelow } from '../../src/disk/below.ts';
import { Folder } from '../../src/disk/folder.ts';
import { removeTree } from '../../src/disk/remove-tree.ts';
import { asNobody, NOBODY } from '../support/as-nobody.ts';
import { makeDeepTree } from '../support/deep-tree.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const onLinux = test.runIf(process.platform === 'linux');

const countHandles = (): number => readdirSync('/proc/self/fd').length;

async function openFolder(path: string): Promise<Folder> {
  const folder = await Folder.open(path);
  if (folder === undefined) throw new Error(`no folder ${path}`);
  return folder;
}

const MODES = [0o000, 0o111, 0o222, 0o333, 0o444, 0o555].map((mode) => [mode.toString(8), mode] as const);

/** A tree with folders of a mode, in a folder of a user without rights. */
async function treeOf(mode: number, owner: number): Promise<string> {
  const home = await temporaryFolder();
  mkdirSync(join(home, 'tree/a/b/c'), { recursive: true });
  for (const name of ['tree/file', 'tree/a/b/file']) writeFileSync(join(home, name), '');
  for (const name of ['tree/a/b/c', 'tree/a/b', 'tree/a', 'tree']) {
    chownSync(join(home, name), owner, owner);
    chmodSync(join(home, name), mode);
  }
  chownSync(home, NOBODY, NOBODY);
  return home;
}

/** A folder `ours`, and one of somebody else's with the same names in it. */
async function places(): Promise<{ ours: string; victim: string; outside: string }> {
  const outside = await temporaryFolder();
  const [ours, victim] = [join(outside, 'ours'), join(outside, 'victim')];
  for (const folder of [ours, victim]) {
    mkdirSync(join(folder, 'inner'), { recursive: true });
    writeFileSync(join(folder, 'file'), folder === ours ? 'ours' : 'precious');
    writeFileSync(join(folder, 'inner/file'), folder === ours ? 'ours' : 'precious');
  }
  return { ours, victim, outside };
}

/** Puts a link to the victim's folder in the place of ours. */
function exchange({ ours, victim, outside }: { ours: string; victim: string; outside: string }): string {
  renameSync(ours, join(outside, 'moved'));
  symlinkSync(victim, ours);
  return join(outside, 'moved');
}

describe('an open folder', () => {
  onLinux('stays the same folder where a link takes its place', async () => {
    const all = await places();
    await using folder = await openFolder(all.ours);
    const moved = exchange(all);
    const before = readdirSync(all.victim, { recursive: true });
    await (await folder.create('new', 0o644)).close();
    await folder.remove('file');
    await folder.make('made', 0o700);
    await removeTree(folder, 'inner');
    await folder.move('new', folder, 'newer');
    expect(readdirSync(all.victim, { recursive: true })).toEqual(before);
    expect((await folder.names()).toSorted()).toEqual(['made', 'newer']);
    expect(readdirSync(moved).toSorted()).toEqual(['made', 'newer']);
    expect(statSync(join(moved, 'made')).mode & 0o777).toBe(0o700);
  });

  test.each(['', '.', '..', 'a/b', '/etc', 'a\0b'])('takes no path for a name: %j', async (name) => {
    await using folder = await openFolder(await temporaryFolder());
    await expect(folder.look(name, 'file')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(folder.folder(name)).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('that was closed is not used: its handle may be of another one', async () => {
    const folder = await openFolder((await places()).ours);
    await folder.close();
    await expect(folder.remove('file')).rejects.toMatchObject({ code: 'USAGE' });
    await expect(folder.names()).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('follows no link, of whichever kind, and names it', async () => {
    const { ours, victim } = await places();
    symlinkSync(victim, join(ours, 'linked'));
    symlinkSync(join(ours, 'nothing'), join(ours, 'dangling'));
    linkSync(join(victim, 'file'), join(ours, 'hard'));
    await using folder = await openFolder(ours);
    for (const name of ['linked', 'dangling']) {
      const refusal = { code: 'LINK', facts: { path: join(ours, name) } };
      await expect(folder.folder(name)).rejects.toMatchObject(refusal);
      await expect(folder.ensure(name)).rejects.toMatchObject(refusal);
      await expect(folder.openFile(name)).rejects.toMatchObject(refusal);
    }
    await expect(folder.openFile('hard')).rejects.toMatchObject({ code: 'LINK' });
    await expect(folder.folder('file')).rejects.toMatchObject({ code: 'LINK' });
    await expect(Folder.open(join(ours, 'linked'))).rejects.toMatchObject({ code: 'LINK' });
    await using followed = await Folder.open(join(ours, 'linked'), { follow: true });
    expect(await followed?.names()).toContain('file');
    expect(await folder.folder('nothing')).toBeUndefined();
  });

  test('removes a tree without what its links lead to', async () => {
    const { ours, victim } = await places();
    symlinkSync(victim, join(ours, 'inner/linked'));
    symlinkSync(join(victim, 'file'), join(ours, 'inner/file-link'));
    await using folder = await openFolder(ours);
    await removeTree(folder, 'inner');
    symlinkSync(victim, join(ours, 'top'));
    await removeTree(folder, 'top');
    expect(readdirSync(ours)).toEqual(['file']);
    expect(readFileSync(join(victim, 'inner/file'), 'utf8')).toBe('precious');
  });

  test.each(MODES)('of mode %s goes with what is in it, if it is ours', async (_, mode) => {
    const home = await treeOf(mode, NOBODY);
    await asNobody(async () => {
      await using folder = await openFolder(home);
      await removeTree(folder, 'tree');
    });
    expect(readdirSync(home)).toEqual([]);
  });

  // Only root can give a folder to somebody else.
  test.runIf(process.geteuid?.() === 0).each([...MODES, ['755', 0o755] as const])(
    'of mode %s that somebody else owns is named, with what to do',
    async (_, mode) => {
      const home = await treeOf(mode, 0);
      const removing = asNobody(async () => {
        await using folder = await openFolder(home);
        await removeTree(folder, 'tree');
      });
      const error = await removing.catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({
        code: 'IO',
        message: expect.stringMatching(
          /the folder \S+\/tree(\/a)?, which belongs to user 0: permission denied/,
        ),
        facts: {
          path: expect.stringMatching(/\/tree(\/a)?$/),
          actual: 'EACCES',
          hint: 'run this as the owner of that folder, or as root',
        },
      });
      expect(readdirSync(join(home, 'tree'))).toEqual(['a', 'file']);
    },
  );

  test('removes a tree of any depth, with names that are no text, and as many as there are', async () => {
    const { ours, victim } = await places();
    makeDeepTree(join(ours, 'deep'), { name: 'd', parts: 2, levels: 1100 });
    symlinkSync(victim, join(ours, 'deep/linked'));
    symlinkSync(join(victim, 'file'), join(ours, 'deep/d/linked'));
    writeFileSync(Buffer.concat([Buffer.from(join(ours, 'deep/d/')), Buffer.from([0xff, 0xfe])]), '');
    const path = join(ours, 'wide');
    for (let i = 0; i < 200; i++) mkdirSync(join(path, `${i}/a/b`), { recursive: true });
    await using folder = await openFolder(ours);
    for (const name of ['deep', 'wide']) await removeTree(folder, name);
    expect(readdirSync(ours).toSorted()).toEqual(['file', 'inner']);
    expect(readFileSync(join(victim, 'inner/file'), 'utf8')).toBe('precious');
  });
});

describe('what is below a folder', () => {
  test('is reached, read and removed through folders only', async () => {
    const { ours, victim, outside } = await places();
    expect((await lookBelow(ours, ['inner', 'file']))?.size).toBe(4n);
    await removeBelow(ours, ['inner', 'file']);
    await removeBelow(ours, ['inner', 'file']);
    expect(await openBelow(ours, ['inner', 'file'])).toBeUndefined();
    expect(await openBelow(ours, ['nowhere', 'file'])).toBeUndefined();
    renameSync(join(ours, 'inner'), join(outside, 'inner'));
    symlinkSync(join(victim, 'inner'), join(ours, 'inner'));
    for (const use of [lookBelow, openBelow, removeBelow])
      await expect(use(ours, ['inner', 'file'])).rejects.toMatchObject({ code: 'LINK' });
    expect(readFileSync(join(victim, 'inner/file'), 'utf8')).toBe('precious');
  });

  onLinux('stays what it is where a link takes the place of a folder on the way', async () => {
    const all = await places();
    const text = await inFolder(all.ours, ['inner'], async (inner) => {
      exchange(all);
      const handle = await inner.openFile('file');
      const read = await handle?.readFile('utf8');
      await handle?.close();
      return read;
    });
    expect(text).toBe('ours');
  });

  onLinux('leaves no handle open', async () => {
    const { ours } = await places();
    await lookBelow(ours, ['inner', 'file']);
    const before = countHandles();
    for (let i = 0; i < 50; i++) {
      await lookBelow(ours, ['inner', 'file']);
      await lookBelow(ours, ['inner', 'none']);
      await lookBelow(ours, ['none', 'none']);
      await expect(lookBelow(ours, ['file', 'none'])).rejects.toMatchObject({ code: 'LINK' });
    }
    expect(countHandles()).toBeLessThan(before + 10);
  });
});
