import { domainToASCII } from 'node:url';
import { tlds } from '@hapi/tlds';

/** Top-level names that are not in the root zone, but that networks, browsers and examples use: RFC 2606, 6761, 6762, 7686, 8375, and ICANN's tests. */
const reserved: ReadonlySet<string> = new Set(
  (
    'test example invalid localhost local localdomain internal intranet lan home corp private onion alt ' +
    'xn--0zwm56d xn--11b5bs3a9aj6g xn--80akhbyknj4f xn--9t4b11yi5a xn--deba0ad xn--g6w251d xn--hgbk6aj7f53bba ' +
    'xn--hlcj6aya9esc7a xn--jxalpdlp xn--kgbechtv xn--zckzah'
  ).split(' '),
);

/** Whether a label, in any script, case or width, is a top-level domain. */
export function isTopLevelDomain(label: string): boolean {
  const ascii = domainToASCII(label);
  return tlds.has(ascii) || reserved.has(ascii);
}
