/** The 16-bit groups before an IPv4 address in an IPv6 address: mapped, compatible, translated (RFC 4291, 6052, 7915). */
const BEFORE: readonly string[] = ['0:0:0:0:0:ffff', '0:0:0:0:0:0', '0:0:0:0:ffff:0', '64:ff9b:0:0:0:0'];
const SIX_TO_FOUR = '2002';
const TEREDO = '2001:0';

/**
 * The IPv4 addresses that an IPv6 address leads to. A translator or a tunnel on the way may deliver to them (RFC 3056,
 * 4291, 4380, 6052, 7915).
 * @param address an IPv6 address without a zone, in any spelling
 */
export function embeddedIn(address: string): string[] {
  const groups = groupsOf(address);
  const prefix = (count: number): string =>
    groups
      .slice(0, count)
      .map((group) => group.toString(16))
      .join(':');
  const at = (first: number): string => dotted(groups.slice(first, first + 2));
  // An address of all zeros and the loopback are none of IPv4.
  if (BEFORE.includes(prefix(6)) && prefix(7) !== '0:0:0:0:0:0:0') return [at(6)];
  if (prefix(1) === SIX_TO_FOUR) return [at(1)];
  // The server, and the client with its bits inverted.
  if (prefix(2) === TEREDO) return [at(2), dotted(groups.slice(6).map((group) => group ^ 0xffff))];
  return [];
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // In the canonical spelling.
  const { hostname } = new URL(`http://[${address}]/`);
  const [first = [], last = []] = hostname.slice(1, -1).split('::').map(numbers);
  return [...first, ...Array.from({ length: 8 - first.length - last.length }, () => 0), ...last];
}

function numbers(part: string): number[] {
  return part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
}

function dotted(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 0xff]).join('.');
}
