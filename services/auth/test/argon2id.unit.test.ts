import { expect } from 'chai';
import { hashPassword, unmatchableHash, owaspCost, verifyPassword } from '../src/passwords/argon2id.ts';

const cheap = { memory: 64, passes: 1, parallelism: 1 };

describe('argon2id', () => {
  it('verifies the password of its hash and no other', async () => {
    const hash = await hashPassword('correct horse', cheap);
    expect(await verifyPassword('correct horse', hash, cheap)).to.deep.equal({ matches: true, outdated: false });
    for (const wrong of ['correct horsf', '', 'correct horse ', 'Correct horse']) {
      expect((await verifyPassword(wrong, hash, cheap)).matches, wrong).to.equal(false);
    }
  });

  it('verifies a hash made by the reference implementation', async () => {
    // argon2 somesalt -id -t 2 -k 65536 -p 1, from the tests of github.com/P-H-C/phc-winner-argon2
    const hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    expect((await verifyPassword('password', hash, cheap)).matches).to.equal(true);
    expect((await verifyPassword('differentpassword', hash, cheap)).matches).to.equal(false);
  });

  it('reports a hash made at another cost', async () => {
    const hash = await hashPassword('x', cheap);
    for (const cost of [{ ...cheap, memory: 128 }, { ...cheap, passes: 2 }, owaspCost]) {
      expect(await verifyPassword('x', hash, cost)).to.deep.equal({ matches: true, outdated: true });
    }
  });

  it('produces a PHC string with the parameters that OWASP recommends', async () => {
    expect(await hashPassword('x', owaspCost)).to.match(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/,
    );
  });

  it('salts each hash, so that one password has a different hash each time', async () => {
    expect(await hashPassword('x', cheap)).not.to.equal(await hashPassword('x', cheap));
  });

  it('treats different Unicode compositions of the same characters as the same password', async () => {
    const hash = await hashPassword('caf\u00e9', cheap);
    expect((await verifyPassword('cafe\u0301', hash, cheap)).matches).to.equal(true);
  });

  it('matches no password against the unmatchable hash, at the same cost as any other', async () => {
    const hash = unmatchableHash(cheap);
    expect(await verifyPassword('', hash, cheap)).to.deep.equal({ matches: false, outdated: false });
  });

  it('rejects a stored value that is not an argon2id PHC string', async () => {
    for (const hash of ['', 'x', '$2b$10$abc', '$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$YWJj']) {
      const error = await verifyPassword('x', hash, cheap).catch((reason: unknown) => reason);
      expect(error, hash).to.be.instanceOf(Error);
    }
  });
});
