/** Temp folders that a later run removes when the process that made them died without doing so. */
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'dryd-';
const OWNER_FILE = 'owner';
/** A folder is made before its owner file is: younger ones without it are not touched. */
const GRACE_MS = 60_000;

/**
 * Where temp folders go: the system's temp folder, or `/tmp` when that is too long for unix sockets (108 bytes
 * in all) or lies in a folder that daemons do not see.
 */
function base(): string {
  const folder = tmpdir();
  return folder.length > 40 || folder.startsWith('/run') || folder.startsWith('/dev') ? '/tmp' : folder;
}

/** Makes a folder with a short path, owned by this process. */
export async function makeTempFolder(): Promise<string> {
  const folder = await mkdtemp(join(base(), PREFIX));
  await writeFile(join(folder, OWNER_FILE), identity(process.pid) ?? '');
  return folder;
}

/** Removes a folder made by {@link makeTempFolder}. */
export async function removeTempFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
}

/** Removes the folders whose owner is no longer running. */
export async function sweepTempFolders(): Promise<void> {
  const names = (await readdir(base())).filter((name) => name.startsWith(PREFIX));
  for (const name of names) {
    const folder = join(base(), name);
    if (await isAbandoned(folder)) await removeTempFolder(folder);
  }
}

async function isAbandoned(folder: string): Promise<boolean> {
  const ownerFile = join(folder, OWNER_FILE);
  try {
    if (!existsSync(ownerFile)) return Date.now() - (await stat(folder)).mtimeMs > GRACE_MS;
    const owner = readFileSync(ownerFile, 'utf8');
    return owner !== '' && identity(Number.parseInt(owner, 10)) !== owner;
  } catch {
    // Somebody else has just removed it.
    return false;
  }
}

/** `<pid> <start time>` of a running process: a process id alone may have been given to another one. */
function identity(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const afterName = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return `${pid} ${afterName[19] ?? ''}`;
  } catch {
    return undefined;
  }
}
