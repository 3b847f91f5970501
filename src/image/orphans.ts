import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest } from '../oci/digest.ts';
import type { Links } from './reachable.ts';

/**
 * The entries that stay when others of an index.json go. A referrer goes with its subject, when nothing that stays leads
 * to that, and so do the referrers of what goes with it. A referrer whose subject was never there stays. Each link is
 * followed once.
 * @param chosen the entries that are not removed themselves
 * @param subjects the subject of each entry in `chosen` that is a referrer
 */
export function withoutOrphans(
  all: readonly Descriptor[],
  chosen: readonly Descriptor[],
  subjects: ReadonlyMap<Descriptor, Digest>,
  links: Links,
): Descriptor[] {
  const holders = countHolders(all, links);
  const bySubject = new Map<Digest, Descriptor[]>();
  for (const [entry, subject] of subjects) {
    const referrers = bySubject.get(subject) ?? [];
    bySubject.set(subject, referrers);
    referrers.push(entry);
  }
  const kept = new Set(chosen);
  const released = all.filter((entry) => !kept.has(entry)).map(({ digest }) => digest);
  // Goes on with what is added on the way.
  for (const digest of released) {
    const left = (holders.get(digest) ?? 0) - 1;
    holders.set(digest, left);
    if (left > 0) continue;
    for (const named of links.get(digest) ?? []) released.push(named);
    for (const entry of bySubject.get(digest) ?? []) if (kept.delete(entry)) released.push(entry.digest);
  }
  return [...kept];
}

/** How many entries and documents lead to each digest directly. */
function countHolders(all: readonly Descriptor[], links: Links): Map<Digest, number> {
  const holders = new Map<Digest, number>();
  const hold = (digest: Digest): void => void holders.set(digest, (holders.get(digest) ?? 0) + 1);
  for (const { digest } of all) hold(digest);
  for (const named of links.values()) for (const digest of named) hold(digest);
  return holders;
}
