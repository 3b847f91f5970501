import { lookup as lookupAll } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { BlockList, isIP } from 'node:net';
import { embeddedIn } from './embedded-address.ts';

/**
 * How near an address is: `never` for those that no server of a job has (unspecified, link-local, metadata services),
 * `loopback` for this machine, `private` for networks that are not routed.
 */
export type Nearness = 'public' | 'private' | 'loopback' | 'never';

/** Finds the addresses of a host. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** From the farthest to the nearest. */
const ORDER: readonly Nearness[] = ['public', 'private', 'loopback', 'never'];

const NETWORKS: Record<Exclude<Nearness, 'public'>, string> = {
  never:
    '0.0.0.0/8 169.254.0.0/16 224.0.0.0/3 100.100.100.200/32 192.0.0.192/32 168.63.129.16/32 ' +
    '::/128 fe80::/10 fd00:ec2::/96 fd20:ce::254/128 ff00::/8',
  loopback: '127.0.0.0/8 ::1/128',
  // 64:ff9b:1::/48 is translated by a network's own rules (RFC 8215).
  private:
    '10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 198.18.0.0/15 fc00::/7 fec0::/10 64:ff9b:1::/48',
};

const LISTS = Object.entries(NETWORKS).map(([nearness, networks]) => {
  const list = new BlockList();
  for (const network of networks.split(' ')) {
    const [address = '', bits] = network.split('/');
    list.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return { nearness, list };
});

/** How near an IP address is. */
export function nearnessOf(address: string): Nearness {
  const bare = address.replace(/%.*$/, '');
  const spellings = isIP(bare) === 6 ? [bare, ...embeddedIn(bare)] : [bare];
  const found = new Set(
    LISTS.filter(({ list }) =>
      spellings.some((one) => list.check(one, isIP(one) === 6 ? 'ipv6' : 'ipv4')),
    ).map(({ nearness }) => nearness),
  );
  return ORDER.findLast((nearness) => found.has(nearness)) ?? 'public';
}

/**
 * How near a host is, by the nearest of its addresses.
 * @param hostname as in a URL: a name, an IPv4 address, or an IPv6 address in brackets
 * @returns undefined if no address is known here, as behind a proxy that resolves names
 */
export async function nearnessOfHost(hostname: string, resolve?: Lookup): Promise<Nearness | undefined> {
  const found = await nearnessesOf(hostname, resolve);
  return ORDER.findLast((nearness) => found.has(nearness));
}

/** As {@link nearnessOfHost}, by the farthest of its addresses. */
export async function farthestOfHost(hostname: string, resolve?: Lookup): Promise<Nearness | undefined> {
  const found = await nearnessesOf(hostname, resolve);
  return ORDER.find((nearness) => found.has(nearness));
}

/** Whether an address is one that a server of this nearness may lead to. */
export function mayBeAt(nearness: Nearness, own: Nearness): boolean {
  return nearness !== 'never' && ORDER.indexOf(nearness) <= ORDER.indexOf(own);
}

/** How near the addresses of a name may be, for names that servers have led to. */
const limits = new Map<string, Nearness>();
/** Names that jobs have named themselves: they may be anywhere. */
const free = new Set<string>();

/** From now on, a name is connected only at addresses that a server of this nearness may lead to. */
export function limitHost(hostname: string, own: Nearness): void {
  const before = limits.get(hostname);
  if (free.has(hostname)) return;
  if (before === undefined || mayBeAt(own, before)) limits.set(hostname, own);
}

/** A name that the job itself names may be anywhere. */
export function freeHost(hostname: string): void {
  free.add(hostname);
  limits.delete(hostname);
}

/**
 * Resolves names for connections. A name that was judged may have other addresses by the time that it is connected: those
 * that are too near are left out, so the address that is connected is one that was judged.
 */
export const judgedLookup: LookupFunction = (hostname, options, callback) => {
  lookupAll(hostname, { ...options, all: true }, (error, found) => {
    if (error !== null) return callback(error, []);
    const limit = limits.get(hostname);
    const addresses =
      limit === undefined ? found : found.filter(({ address }) => mayBeAt(nearnessOf(address), limit));
    const [first] = addresses;
    if (first === undefined) return callback(tooNear(hostname), []);
    return options.all === true ? callback(null, addresses) : callback(null, first.address, first.family);
  });
};

/** The system's words for an address that is not connected. */
function tooNear(hostname: string): NodeJS.ErrnoException {
  const message = `${hostname} has only addresses in a network of this job by now`;
  return Object.assign(new Error(message), { code: 'EADDRNOTAVAIL' });
}

async function nearnessesOf(hostname: string, resolve: Lookup = systemLookup): Promise<Set<Nearness>> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = isIP(literal) > 0 ? [literal] : await resolve(hostname).catch(() => []);
  return new Set(addresses.map(nearnessOf));
}

async function systemLookup(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}
