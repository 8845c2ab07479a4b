import { randomBytes } from 'node:crypto';
import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { systemContext } from '../src/domain/audit-context.ts';
import { migrations } from '../src/migrations.ts';
import { createSealedKeys } from '../src/postgres/signing-key-rows.ts';
import { createSigningKeys, rotateKeys } from '../src/tokens/signing-keys.ts';
import { runHere } from './support/command-line.ts';

describe('the command that seals the signing keys with a new secret', () => {
  let database: TestDatabase;
  const [before, next, foreign] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const schedule = { rotationSeconds: 3_600, overlapSeconds: 900, retiredSeconds: 7_200 };
  beforeEach(async () => {
    database = await testDatabase(migrations);
  });
  afterEach(async () => await database.drop());

  const stored = () => createSealedKeys(database.db);
  const ringOf = async (secret: Buffer) => await createSigningKeys(stored(), secret).ring();
  const addNext = async (secret: Buffer) => await rotateKeys(stored(), secret, schedule).addNext(systemContext);
  const reseal = async (from: Buffer, input: string) =>
    await runHere(
      ['keys', 'reseal'],
      { DATABASE_URL: database.url, KEY_ENCRYPTION_SECRET: from.toString('base64') },
      input,
    );
  const to = (secret: Buffer) => `${secret.toString('base64')}\n`;
  const sealed = async () => await query(database.db.pool, 'SELECT kid, private_key FROM signing_keys ORDER BY kid');

  it('keeps every key with its schedule, so that all tokens stay valid, and ends the use of the earlier secret', async () => {
    const first = await ringOf(before);
    await addNext(before);
    const done = await reseal(before, to(next));
    expect([done.code, done.stderr]).to.deep.equal([0, '']);
    expect(done.stdout).to.equal('sealed 2 signing keys with the new secret; restart every process of Auth with it\n');
    const after = await ringOf(next);
    expect(after.active.kid).to.equal(first.active.kid);
    expect(after.active.privateKey.equals(first.active.privateKey)).to.equal(true);
    expect(after.keys).to.have.length(2);
    const refused: unknown = await ringOf(before).catch((error: unknown) => error);
    expect(String(refused)).to.include('KEY_ENCRYPTION_SECRET is not the one');
  });

  it('completes keys that a process added with the earlier secret, when it is repeated', async () => {
    await ringOf(before);
    await reseal(before, to(next));
    await addNext(before);
    const again = await reseal(before, to(next));
    expect(again.stdout).to.match(/^sealed 1 signing keys/);
    expect((await ringOf(next)).keys).to.have.length(2);
    expect((await reseal(before, to(next))).stdout).to.equal(
      'all signing keys are already sealed with the new secret\n',
    );
  });

  it('changes nothing if a key opens with neither secret', async () => {
    const { active } = await ringOf(before);
    const rows = await sealed();
    const failed = await reseal(foreign, to(next));
    expect([failed.code, failed.stdout]).to.deep.equal([1, '']);
    expect(failed.stderr).to.include(active.kid).and.to.include('nothing was changed');
    expect(await sealed()).to.deep.equal(rows);
  });

  it('refuses a new secret that is not 32 bytes in base64, without showing it', async () => {
    for (const input of ['', 'short\n', randomBytes(16).toString('base64')]) {
      const failed = await reseal(before, input);
      expect(failed.code).to.equal(2);
      expect(failed.stderr).to.include('openssl rand -base64 32');
      if (input !== '') expect(failed.stderr).not.to.include(input.trim());
    }
  });

  it('records each key in the audit log, with no secret', async () => {
    const { active } = await ringOf(before);
    await reseal(before, to(next));
    const entries = await query(
      database.db.pool,
      'SELECT actor_kind, action, subject_kind, subject_id, outcome FROM audit_log',
    );
    expect(entries).to.deep.equal([
      {
        actor_kind: 'command_line',
        action: 'keys.reseal',
        subject_kind: 'key',
        subject_id: active.kid,
        outcome: 'success',
      },
    ]);
  });
});
