import type { ContentOptions } from '../content/source.ts';
import type { ImageTags } from '../content/endpoint.ts';
import { isDrayageError } from '../errors.ts';
import type { Lease } from './load/lease.ts';
import { leasesOf, malformedLeases } from './load/lease.ts';
import type { LeaseRules } from './load/lease-rules.ts';
import type { HeldNames } from './held-names.ts';
import { byHold, holdOf, ownersOf } from './held-names.ts';
import { leaseRules } from './load/lease-rules.ts';

/** Options of {@link unload}. */
export interface UnloadOptions extends ContentOptions {
  /** The daemon. */
  from: ImageTags;
  /**
   * Which leases end: those of one job, which knows the secret that they were taken with; those of a pipeline, by its ID,
   * which hold the images of references; or all that were taken before a time.
   */
  leases: { job: string; secret?: string | undefined } | { pipeline: string } | { before: Date };
  /** The present time. A lease that was taken an hour later or more is impossible. Default: no lease is. */
  now?: Date | undefined;
}

/** A name that was not removed, and the reason. */
export interface KeptName {
  ref: string;
  reason: string;
}

/** Result of {@link unload}. */
export interface UnloadResult {
  /** The removed names, without the leases themselves. An image goes with its last name. */
  removed: string[];
  kept: KeptName[];
}

const HELD = 'another job holds it';
const FOUND = 'it was there before it was loaded';
const UNPROVEN = 'nothing proves that a load has set it';
const TWICE = 'two images have it';
const BUSY = 'a container uses it';
/** How often changes by others are followed before the rest is left to them. */
const MAX_ROUNDS = 3;

/**
 * Removes what jobs have loaded: ends their leases, and removes the names that they set. A name stays if another job
 * holds it, if it means another image now, or if it was there before. An image that a container uses, running or
 * stopped, keeps its names and leases until a later unload. Nothing is forced.
 *
 * Everybody who reaches the daemon can set a tag that looks like a lease. So a job ends only leases that it sealed with
 * its secret. Without a secret, for a pipeline, and for all jobs, only unique tags are removed, because nothing else sets them; other
 * names stay, and their leases end. With a time, malformed and impossible leases end too.
 *
 * A job that loads the image meanwhile keeps it. It takes its lease before it sets a name and looks for the name
 * afterwards. Here, leases are read again after a name was removed, and the name is set again if there is one. So the
 * name may be missing between the two, while these requests run.
 * @throws {@link DrayageError} `DAEMON`, `UNREACHABLE`
 * @example
 * ```ts
 * import { unload } from 'drayage';
 *
 * const aDayAgo = new Date(Date.now() - 24 * 60 * 60 * 1000);
 * const { removed } = await unload({ from: daemon, leases: { before: aDayAgo } });
 * console.log(removed);
 * ```
 */
export async function unload({ from, leases, now, signal }: UnloadOptions): Promise<UnloadResult> {
  const run = new Unloading(from, { signal }, leaseRules(leases, now));
  await run.end();
  return run.result();
}

/** One run of {@link unload}: what it has removed so far, and what it keeps. */
class Unloading {
  readonly #from: ImageTags;
  readonly #options: ContentOptions;
  readonly #rules: LeaseRules;
  readonly #removed: Set<string> = new Set();
  readonly #kept: Map<string, string> = new Map();

  constructor(from: ImageTags, options: ContentOptions, rules: LeaseRules) {
    this.#from = from;
    this.#options = options;
    this.#rules = rules;
  }

  result(): UnloadResult {
    return { removed: [...this.#removed], kept: [...this.#kept].map(([ref, reason]) => ({ ref, reason })) };
  }

  async end(): Promise<void> {
    const images = await this.#from.list(this.#options);
    const all = leasesOf(images).filter((lease) => this.#rules.counts(lease));
    const others = all.filter((lease) => !this.#rules.ends(lease));
    const ending = await this.#unused(
      all.filter((lease) => this.#rules.ends(lease)),
      others,
    );
    const held = byHold(others);
    const among = { ended: byHold(ending), owners: ownersOf(images) };
    for (const lease of ending) {
      if (held.has(holdOf(lease))) this.#keep(lease, HELD);
      else await this.#giveBack(lease, among);
    }
    for (const lease of ending) await this.#endLease(lease);
    for (let round = 0; round < MAX_ROUNDS && (await this.#settle(ending)); round++);
    if (this.#rules.sweeps) for (const tag of malformedLeases(images)) await this.#remove(tag);
  }

  /** The leases that can end: no container needs the image, or other leases keep it. */
  async #unused(ending: readonly Lease[], others: readonly Lease[]): Promise<Lease[]> {
    if (ending.length === 0) return [];
    const containers = new Map<string | undefined, string>();
    for (const { image, name, container } of await this.#from.uses(this.#options))
      containers.set(image, container).set(name, container);
    const kept = new Set(others.map(({ image }) => image));
    return ending.filter(({ image, name, reference }) => {
      if (kept.has(image)) return true;
      const container = containers.get(image) ?? (name === undefined ? undefined : containers.get(name));
      if (container !== undefined) this.#keep({ name, reference }, `the container ${container} uses it`);
      return container === undefined;
    });
  }

  /**
   * Follows what others did meanwhile: whoever took a lease gets the name back, and a name that was left to a job which
   * has gone is removed.
   * @returns whether there was anything to do
   */
  async #settle(ended: readonly Lease[]): Promise<boolean> {
    if (!ended.some(({ name }) => name !== undefined)) return false;
    const images = await this.#from.list(this.#options);
    const left = byHold(leasesOf(images));
    const among = { ended: byHold(ended), owners: ownersOf(images) };
    let changed = false;
    for (const lease of ended) {
      const { name, image } = lease;
      if (name === undefined) continue;
      // The name may be gone by now, but its lease is judged with it.
      const holders = left.get(holdOf(lease)) ?? [];
      const isHeld = holders.some((other) => this.#rules.counts({ ...other, name }));
      const isThere = among.owners.has(name);
      if (isHeld && (this.#removed.delete(name) || !isThere)) {
        this.#keep(lease, HELD);
        if (!isThere) await this.#tag(image, name);
        changed = true;
      } else if (!isHeld && this.#kept.get(name) === HELD) {
        await this.#giveBack(lease, among);
        changed = true;
      }
    }
    return changed;
  }

  /** Removes a name that nobody else holds. */
  async #giveBack(lease: Lease, { ended, owners }: HeldNames): Promise<void> {
    const { name, image } = lease;
    if (name === undefined || this.#removed.has(name)) return;
    if ((owners.get(name) ?? 0) > 1) this.#keep(lease, TWICE);
    else if (!ended.get(holdOf(lease))?.some(({ found }) => !found)) this.#keep(lease, FOUND);
    else if (!this.#rules.mayRemove(lease)) this.#keep(lease, UNPROVEN);
    else if (await this.#remove(name)) {
      this.#removed.add(name);
      this.#kept.delete(name);
    } else {
      this.#keep(lease, BUSY);
      await this.#tag(image, lease.reference);
    }
  }

  /** The image goes with its last lease. If a container of it was made meanwhile, it gets all of its names back. */
  async #endLease(lease: Lease): Promise<void> {
    const { name, image, reference } = lease;
    if (name !== undefined && this.#kept.get(name) === BUSY) return;
    if (await this.#remove(reference)) return;
    if (name !== undefined && this.#removed.delete(name)) await this.#tag(image, name);
    this.#keep(lease, BUSY);
  }

  #keep({ name, reference }: Pick<Lease, 'name' | 'reference'>, reason: string): void {
    this.#kept.set(name ?? reference, reason);
  }

  async #tag(image: string, name: string): Promise<void> {
    await this.#from.tag(image, name, this.#options);
  }

  /** @returns false if a container uses the image */
  async #remove(name: string): Promise<boolean> {
    try {
      await this.#from.remove(name, this.#options);
    } catch (error) {
      if (isDrayageError(error, 'DAEMON') && error.facts.status === 409) return false;
      if (!isDrayageError(error, 'NOT_FOUND')) throw error;
    }
    return true;
  }
}
