import { expect } from 'chai';
import { hasAddress } from '../src/index.ts';

/** Names of people in spellings that occur in practice. */
const names = [
  ...['J. R. R. Tolkien', 'J.R.R. Tolkien', 'J.K.Rowling', 'U.S.Grant', 'Ramesh.S', 'O.J.Simpson'],
  ...[
    "Dr. Ann-Marie O'Neil",
    'Dr.Who',
    'Prof.Dr. Meyer',
    'Dipl.-Ing. Müller',
    'Dr.med. Weber',
    'Md.Rahman',
    'Mr.Smith',
    'Fco.Javier',
  ],
  ...[
    'St. John',
    'St.John',
    'Martin Luther King Jr.',
    'Sammy Davis, Jr.',
    'Ann Smith, M.Sc.',
    'Ann Kumar B.Com',
    'Ph.D. Ann',
  ],
  ...[
    '李小龙',
    '約翰·史密斯',
    'Zoë',
    'Ольга',
    'Nguyễn Thị Minh Khai',
    'Gal·la',
    'Ólafur Ragnar',
    'İpek',
    'عبد الرحمن',
    'שרה',
  ],
  ...['மு.க.ஸ்டாலின்', 'एस.के.शर्मा', 'ఎన్.టి. రామారావు', 'علی\u200cرضا', 'ශ්\u200dරී', '葛\u{e0100}城'],
  ...[
    'Anna K:son Berg',
    'Dot Cotton',
    'X Æ A-12',
    'Ann (Accounting)',
    'Ann/Ben',
    'Ann & Co',
    'Data',
    'Mia Manager',
    'Team 3: Ann',
    'Ann (A) Smith',
    'Dorothy (Dot) Smith',
    'Shift 12:30',
  ],
];

const addresses = [
  // texts with a scheme, or with a substitute for a scheme
  ...[
    'https://evil.example',
    'Claim at http://evil.example/now',
    'http:/evil',
    'hxxp://evil',
    'ftp://evil',
    '//evil',
    '\\\\server\\share',
  ],
  ...['javascript:alert(1)', 'mailto:ann', 'tel:0900123', 'http：／／evil', 'http∶∕∕evil'],
  // domains, in any case, script, width
  ...[
    'example.com',
    'EXAMPLE.COM',
    'Example.Com',
    'example.co.uk',
    'example.shop',
    'x.com',
    'bit.ly/abc',
    't.me',
    'example.com.',
    'www.evil',
  ],
  ...['münchen.de', 'пример.рф', '例え.テスト', 'xn--e1afmkfd.xn--p1ai', 'xn--80ak6aa92e.com', 'www．evil'],
  ...[
    'ｅｘａｍｐｌｅ．ｃｏｍ',
    'example．com',
    'example。com',
    '例え。テスト',
    'example｡com',
    'example․com',
    'example﹒com',
    'example܂com',
  ],
  ...['𝐞𝐯𝐢𝐥.𝐜𝐨𝐦', 'ⓔⓥⓘⓛ.ⓒⓞⓜ', 'exam\u200bple.com', 'evil.\u2060com', 'evil\u00ad.com', 'evil.\u200dcom'],
  // domains of networks and examples, and domains that are newer than the list
  ...['evil.test', 'evil.example', 'evil.internal', 'printer.local', 'evil.newtld'],
  ...['localhost:8080', '192.0.2.1', 'Call 192.0.2.1 now'],
  // written for people
  ...[
    'example[.]com',
    'example(dot)com',
    'example [dot] com',
    'example dot com',
    'example {.} com',
    'evil .com',
    'evil . com',
  ],
  ...['Visit evil.com now', 'evil.com-now', 'evil.com_now', 'evil.com.Now'],
  // e-mail
  ...[
    'ann@example.org',
    'ann@home',
    '@ann',
    'ann＠example',
    'ann﹫example',
    'ann (at) example',
    'ann [at] example (dot) org',
  ],
];

describe('an address in a name', () => {
  for (const name of names) it(`is not detected in ${name}`, () => expect(hasAddress(name)).to.equal(false));
  for (const text of addresses)
    it(`is detected in ${JSON.stringify(text)}`, () => expect(hasAddress(text)).to.equal(true));
});
