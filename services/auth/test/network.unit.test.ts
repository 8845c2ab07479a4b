import { expect } from 'chai';
import { networkOf, shownNetwork } from '../src/domain/network.ts';

describe('the network of an address', () => {
  const cases: [string, string][] = [
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
    ['2001:0DB8:0001:0002::', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['1::', '1:0:0:0::/64'],
    ['2001:db8:1:2::ffff:203.0.113.7', '2001:db8:1:2::/64'],
    ['256.0.113.7', '256.0.113.7'],
    ['203.0.113.7.1', '203.0.113.7.1'],
    ['1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8:9'],
    ['abc', 'abc'],
    ['', ''],
  ];
  for (const [ip, network] of cases) {
    it(`is ${network || 'nothing'} for ${ip || 'a socket without an address'}`, () => {
      expect(networkOf(ip)).to.equal(network);
    });
  }

  const shown: [string, string | null][] = [
    ['203.0.113.7', '203.0.113.0/24'],
    ['::ffff:203.0.113.7', '203.0.113.0/24'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
    ['::1', '0:0:0::/48'],
    ['256.0.113.7', null],
    ['', null],
  ];
  for (const [ip, network] of shown) {
    it(`is shown in mails as ${network ?? 'nothing'} for ${ip || 'a socket without an address'}`, () => {
      expect(shownNetwork(ip)).to.equal(network);
    });
  }
});
