import { expect } from 'chai';
import { weaknessOf } from '../src/passwords/strength.ts';

const ann = { email: 'ann.smithers@garden-tools.example', name: 'Ann Elisabeth Smithers' };

describe('password strength', () => {
  const weak = {
    'a frequently leaked password': 'password1',
    'a leaked password with symbols for letters': 'P@ssw0rd1!',
    'a keyboard pattern': 'qwertyuiop[]',
    digits: '12345678',
    'a repetition': 'abcabcabcabcabcabcabcabc',
    'a date': '31.12.1999',
    'the address': 'ann.smithers@garden-tools.example',
    'a part of the address and a year': 'garden-tools2024',
    'the name with other separators, and a year': 'ann.smithers_2024',
    'the name reversed': 'srehtims1',
    'one character repeated up to the maximum length': 'a'.repeat(256),
  };
  for (const [what, password] of Object.entries(weak)) {
    it(`rejects ${what}, and explains how to improve it`, () => {
      expect(weaknessOf(password, ann)).to.match(/\. Use a longer one, such as four words/);
    });
  }

  it('accepts hard-to-guess passwords: unrelated words, or generated ones', () => {
    for (const password of [
      'correct horse battery',
      'vK4#mQ9!xz',
      'лошадь батарея скрепка',
      '雨傘と鉛筆と古い靴箱',
      'Tz7-pLm2-Qa8',
    ]) {
      expect(weaknessOf(password, ann), password).to.equal(undefined);
    }
  });

  it('depends on the user of the password', () => {
    expect(weaknessOf('garden-tools2024', ann)).to.be.a('string');
    expect(weaknessOf('garden-tools2024', { email: 'bob@example.org', name: 'Bob' })).to.equal(undefined);
  });

  it('is computed quickly, however long and unusual the password, the address and the name', () => {
    const person = { email: `${'a.'.repeat(100)}b@example.org`, name: 'Ann '.repeat(25) };
    const hostile = [
      '4@8({[</369&#!1/|0$5+7%2',
      'p4ssw0rd1!',
      '1/1/2019',
      'a4@a4@b8s5$z2e3i1!o0t7+',
      'qazwsx',
      'э',
      '\u{1F511}',
    ];
    weaknessOf('the first one reads the lists', person);
    for (const piece of hostile) {
      const times = Array.from({ length: 3 }, () => {
        const start = process.cpuUsage();
        weaknessOf(piece.repeat(256).slice(0, 256), person);
        const { user, system } = process.cpuUsage(start);
        return (user + system) / 1000;
      });
      // each takes about 20 ms, whereas zxcvbn's defaults take seconds; measured as CPU time of the process, not elapsed time
      expect(Math.min(...times), piece).to.be.below(200);
    }
  });
});
