import { lookAt } from '../disk/look-at.ts';
import { DrayageError } from '../index.ts';
import { shellWord } from '../text/shell-word.ts';
import type { Context } from './context.ts';

/**
 * Refuses a cache folder of somebody else, who could exchange what is in it. It must belong to the effective user, to
 * root, or to the owner of CI_PROJECT_DIR: a runner makes that folder, and the job may run as another user.
 * @throws {@link DrayageError} `UNSAFE`, `IO`
 */
export async function assertOwnCache(
  folder: string,
  { env }: Pick<Context, 'env'>,
  user: number | undefined,
): Promise<void> {
  const owner = await ownerOf(folder);
  const owners = await cacheOwners({ env }, user);
  if (owner === undefined || owners === undefined || owners.includes(owner)) return;
  throw new DrayageError(
    'UNSAFE',
    `the cache ${folder} belongs to the user ${owner}, not to this one (${user})`,
    {
      path: folder,
      expected: user,
      actual: owner,
      hint: `choose another folder with --cache, or run: chown -R ${user} ${shellWord(folder)}`,
    },
  );
}

/** The users that a cache may belong to; undefined if this system has no users. */
export async function cacheOwners(
  { env }: Pick<Context, 'env'>,
  user: number | undefined,
): Promise<number[] | undefined> {
  if (user === undefined) return undefined;
  const project = env['CI_PROJECT_DIR'];
  const owner = project ? await ownerOf(project) : undefined;
  return [user, 0, ...(owner === undefined ? [] : [owner])];
}

/** Undefined if there is no such folder. */
async function ownerOf(path: string): Promise<number | undefined> {
  const stats = await lookAt(path);
  return stats && Number(stats.uid);
}
