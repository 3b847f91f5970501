import type { NamedImage } from '../content/endpoint.ts';
import type { Lease } from './load/lease.ts';

/** The names of a daemon's images, and the leases that hold them and end. */
export interface HeldNames {
  /** The leases that end, by what they hold. */
  ended: ReadonlyMap<string, readonly Lease[]>;
  /** How many images have each name. */
  owners: ReadonlyMap<string, number>;
}

/** What a lease holds: a name of an image. */
export function holdOf({ image, nameHash }: Lease): string {
  return `${image} ${nameHash}`;
}

/** Leases by what they hold. */
export function byHold(leases: readonly Lease[]): Map<string, Lease[]> {
  const held = new Map<string, Lease[]>();
  for (const lease of leases) {
    const same = held.get(holdOf(lease));
    if (same === undefined) held.set(holdOf(lease), [lease]);
    else same.push(lease);
  }
  return held;
}

/** How many images have each name. */
export function ownersOf(images: readonly NamedImage[]): Map<string, number> {
  const owners = new Map<string, number>();
  for (const name of images.flatMap(({ names }) => [...new Set(names)]))
    owners.set(name, (owners.get(name) ?? 0) + 1);
  return owners;
}
