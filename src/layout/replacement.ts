import { inExisting, lookBelow, removeBelow } from '../disk/below.ts';
import { ignoreErrors, onDisk } from '../disk/io-error.ts';
import { assertSmall, readSmallFile } from './small-file.ts';
import type { Staging } from './staging.ts';
import type { Undo } from './undo.ts';

/**
 * Prepares to replace a whole small file of a layout, or to remove it. The new bytes, and those that an undo would
 * restore, are on disk before anything changes.
 * @param bytes the new content; undefined removes the file
 * @throws {@link DrayageError} `LINK`, `IO`, `LIMIT`
 */
export async function prepareReplacement(
  staging: Staging,
  root: string,
  name: string,
  bytes: Buffer | undefined,
): Promise<(undo: Undo) => Promise<void>> {
  await lookBelow(root, [name]);
  const before = await readSmallFile(root, name);
  if (bytes === undefined ? before === undefined : before?.equals(bytes)) return async () => {};
  const backup = before && (await writeSynced(staging, `${name}.before`, before));
  const fresh = bytes && (await writeSynced(staging, name, bytes));
  const put = async (from: string | undefined): Promise<void> =>
    from === undefined ? removeBelow(root, [name]) : moveTo(root, name, staging, from);
  return async (undo) => {
    undo.push(() => put(backup));
    await put(fresh);
  };
}

async function moveTo(root: string, name: string, { folder }: Staging, from: string): Promise<void> {
  await inExisting(root, [], (target) =>
    onDisk(target.pathOf(name), 'replace', () => folder.move(from, target, name)),
  );
}

/** Writes a new file, readable by everyone, and waits until it is on disk. Returns its name in staging. */
async function writeSynced(staging: Staging, label: string, bytes: Buffer): Promise<string> {
  const name = staging.newName(label);
  const path = staging.folder.pathOf(name);
  assertSmall(name, bytes.length);
  return onDisk(path, 'write', async () => {
    const handle = await staging.folder.create(name, 0o644);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
      await ignoreErrors(() => handle.chmod(0o644));
    } finally {
      await handle.close();
    }
    return name;
  });
}
