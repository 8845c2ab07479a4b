import { expect } from 'chai';
import { weaknessOf } from '../src/passwords/strength.ts';

const ann = { email: 'ann.smithers@garden-tools.example', name: 'Ann Elisabeth Smithers' };

describe('the strength of passwords', () => {
  const weak = {
    'one that leaked often': 'password1',
    'one that leaked, with signs in the place of letters': 'P@ssw0rd1!',
    'one of the keyboard': 'qwertyuiop[]',
    digits: '12345678',
    'a repetition': 'abcabcabcabcabcabcabcabc',
    'a date': '31.12.1999',
    'the address': 'ann.smithers@garden-tools.example',
    'a part of the address and a year': 'garden-tools2024',
    'the name, put together another way, and a year': 'ann.smithers_2024',
    'the name, turned round': 'srehtims1',
    'the same character as often as is allowed': 'a'.repeat(256),
  };
  for (const [what, password] of Object.entries(weak)) {
    it(`does not let pass ${what}, and says what to do`, () => {
      expect(weaknessOf(password, ann)).to.match(/\. Use a longer one, such as four words/);
    });
  }

  it('lets pass what has to be guessed: words that do not belong together, or what was generated', () => {
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

  it('is about the person whose password it is to be', () => {
    expect(weaknessOf('garden-tools2024', ann)).to.be.a('string');
    expect(weaknessOf('garden-tools2024', { email: 'bob@example.org', name: 'Bob' })).to.equal(undefined);
  });

  it('is found in little time, however long and odd the password, the address and the name', () => {
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
      // some 20 ms each, where zxcvbn as it comes takes seconds; of its time, not the machine's
      expect(Math.min(...times), piece).to.be.below(200);
    }
  });
});
