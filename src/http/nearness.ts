import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

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
    '::/128 fe80::/10 fd00:ec2::254/128 ff00::/8',
  loopback: '127.0.0.0/8 ::1/128',
  private: '10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 100.64.0.0/10 fc00::/7 fec0::/10',
};

/** An IPv4 address in an IPv6 address (RFC 6052) is as near as the IPv4 address. */
const EMBEDDED = '64:ff9b::';

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
  const bare = address.replace(/%.*$/, '').toLowerCase();
  const plain = bare.startsWith(EMBEDDED) ? `::ffff:${bare.slice(EMBEDDED.length)}` : bare;
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  const found = LISTS.find(({ list }) => list.check(plain, family))?.nearness;
  return ORDER.find((nearness) => nearness === found) ?? 'public';
}

/**
 * How near a host is, by the nearest of its addresses.
 * @param hostname as in a URL: a name, an IPv4 address, or an IPv6 address in brackets
 * @returns undefined if no address is known here, as behind a proxy that resolves names
 */
export async function nearnessOfHost(
  hostname: string,
  resolve: Lookup = systemLookup,
): Promise<Nearness | undefined> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1');
  const addresses = isIP(literal) > 0 ? [literal] : await resolve(hostname).catch(() => []);
  const found = new Set(addresses.map(nearnessOf));
  return ORDER.findLast((nearness) => found.has(nearness));
}

async function systemLookup(hostname: string): Promise<string[]> {
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}
