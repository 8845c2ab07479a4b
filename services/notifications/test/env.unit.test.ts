import { generateKeyPairSync } from 'node:crypto';
import { readEnv } from '@taskwire/env';
import { expect } from 'chai';
import { env } from '../src/env.ts';

const needed = {
  DATABASE_URL: 'postgres://notifications:secret@localhost/notifications',
  AMQP_URL: 'amqp://notifications:secret@localhost',
  CLIENT_ID: 'notifications',
  CLIENT_PRIVATE_KEY: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  SMTP_URL: 'smtp://localhost:1025',
  MAIL_FROM: 'Taskwire <no-reply@example.com>',
};

describe('The environment of Notifications', () => {
  it('requires addresses and secrets, and reports all missing ones at once', () => {
    expect(readEnv(env, needed)).to.include({ PORT: 3003, PROCESS_ROLE: 'all', PUBLIC_URL: 'http://localhost:8080' });
    for (const name of Object.keys(needed)) expect(() => readEnv(env, {})).to.throw(`${name} is not set`);
  });

  for (const from of ['no-reply@example.com', '<no-reply@example.com>', '"Task, wire" <no-reply@example.com>']) {
    it(`accepts ${from} as a sender`, () => {
      expect(readEnv(env, { ...needed, MAIL_FROM: from }).MAIL_FROM).to.equal(from);
    });
  }
  for (const from of ['Taskwire', 'a@b\r\nBcc: c@d', '@example.com']) {
    it(`rejects ${JSON.stringify(from)} as a sender`, () => {
      expect(() => readEnv(env, { ...needed, MAIL_FROM: from })).to.throw('MAIL_FROM: must be an address');
    });
  }
});
