import { BlockList, isIP } from 'node:net';

/** A row of NO_PROXY: whether it means the host in an address, by its name without brackets. */
type Row = (host: string) => boolean;

/**
 * Whether NO_PROXY exempts an address, as in Go: `*` means every host, `host` also the hosts below it, `.host` only
 * these, `10.0.0.0/8` the IP addresses in it. A row may end in a port.
 */
export function isExempt(noProxy: string, { hostname, port, protocol }: URL): boolean {
  const host = bare(hostname);
  const actual = port || (protocol === 'https:' ? '443' : '80');
  return noProxy
    .split(/[\s,]+/)
    .filter((row) => row !== '')
    .some((row) => {
      const [, name = row, wanted] = isIP(row) ? [] : (/^(.*?):(\d+)$/.exec(row) ?? []);
      return (wanted === undefined || wanted === actual) && rowOf(bare(name))(host);
    });
}

function rowOf(name: string): Row {
  if (name === '*') return () => true;
  // One address is a network of its own: it may be spelled in another way than in the address.
  const [, address = name, bits] = /^(.*)\/(\d{1,3})$/.exec(name) ?? [];
  if (isIP(address) === 6) return inNetwork(address, Number(bits ?? 128), 'ipv6');
  if (isIP(address) === 4) return inNetwork(address, Number(bits ?? 32), 'ipv4');
  const below = name.replace(/^\*?\.?/, '.');
  return (host) => host.endsWith(below) || (host === name && !name.startsWith('.'));
}

function inNetwork(address: string, bits: number, family: 'ipv4' | 'ipv6'): Row {
  if (bits > (family === 'ipv6' ? 128 : 32)) return () => false;
  const list = new BlockList();
  list.addSubnet(address, bits, family);
  return (host) => isIP(host) !== 0 && list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
}

function bare(host: string): string {
  return host
    .toLowerCase()
    .replaceAll(/[[\]]/g, '')
    .replace(/(?<=.)\.$/, '');
}
