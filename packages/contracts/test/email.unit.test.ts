import { expect } from 'chai';
import { schemas } from '../src/index.ts';

describe('An e-mail address', () => {
  const accepted: Record<string, string> = {
    'ann@example.org': 'ann@example.org',
    '  Ann.Smith+tag@Example.org ': 'Ann.Smith+tag@Example.org',
    "o'neil_x@mail.example.co.uk": "o'neil_x@mail.example.co.uk",
    'admin@localhost': 'admin@localhost',
    'ann@münchen.de': 'ann@xn--mnchen-3ya.de',
    'ann@例え.テスト': 'ann@xn--r8jz45g.xn--zckzah',
    'ann@MÜNCHEN.DE': 'ann@xn--mnchen-3ya.de',
    'ann@xn--mnchen-3ya.de': 'ann@xn--mnchen-3ya.de',
    [`${'a'.repeat(64)}@example.org`]: `${'a'.repeat(64)}@example.org`,
  };
  for (const [given, kept] of Object.entries(accepted)) {
    it(`may be ${given.slice(0, 40)}`, () => {
      expect(schemas.email.parse(given)).to.equal(kept);
    });
  }

  const refused = [
    '',
    'ann',
    '@example.org',
    'ann@',
    '.ann@example.org',
    'ann.@example.org',
    'ann..smith@example.org',
    `${'a'.repeat(65)}@example.org`,
    'ann@exa mple.org',
    'ann@-example.org',
    'ann@example..org',
    'änn@example.org',
    'ann@evil.org/@example.org',
    'ann@münchen.de/x',
    'ann@münchen.de:25',
    'ann@münchen.de#x',
    'ann@ex\u0000ämple.org',
    `ann@${'ä'.repeat(250)}.org`,
    '"ann smith"@example.org',
    'ann@[192.0.2.1]',
  ];
  for (const given of refused) {
    it(`may not be ${JSON.stringify(given).slice(0, 40)}`, () => {
      expect(schemas.email.safeParse(given).success).to.equal(false);
    });
  }

  it('is rejected with a description of the expected form', () => {
    expect(schemas.email.safeParse('ann').error?.issues[0]?.message).to.contain('for example ann@example.org');
    expect(schemas.email.safeParse('a..b@example.org').error?.issues[0]?.message).to.contain('without a dot at the beginning');
  });
});
