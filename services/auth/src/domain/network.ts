/** An IPv4 address mapped into IPv6, as reported by sockets that accept both. */
const mapped = /^::ffff:(?=\d+\.)/i;

/**
 * The unit that counts as one caller: an IPv4 address, or the /64 network of an IPv6 address, which is the smallest network that one customer has. A
 * text that isn't an address is returned unchanged.
 */
export function networkOf(ip: string): string {
  const address = ip.replace(mapped, '');
  const groups = ipv6Groups(address);
  if (groups === undefined) return isIpv4(address) ? address : ip;
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** The part of an address that a mail may show: the network without the part that identifies a household (IPv4 /24, IPv6 /48). */
export function shownNetwork(ip: string): string | null {
  const address = ip.replace(mapped, '');
  if (isIpv4(address)) return `${address.split('.').slice(0, 3).join('.')}.0/24`;
  const groups = ipv6Groups(address);
  return groups === undefined ? null : `${groups.slice(0, 3).join(':')}::/48`;
}

function isIpv4(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) < 256);
}

/** The eight groups of an IPv6 address, without leading zeros; undefined for anything else. */
function ipv6Groups(text: string): string[] | undefined {
  const [address = ''] = text.split('%');
  if (!/^[\da-f:.]+$/i.test(address)) return undefined;
  const host = URL.parse(`http://[${address}]`)?.hostname.slice(1, -1);
  if (host === undefined) return undefined;
  // the parser has shortened the longest run of zeros to "::"
  const [before, after] = host.split('::').map((part) => part.split(':').filter(Boolean));
  const [head = [], tail = []] = [before, after];
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
}
