import { expect } from 'chai';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { eligibilityOf } from '../src/domain/performer.ts';
import { migrations } from '../src/migrations.ts';
import { performerSql } from '../src/postgres/performer-sql.ts';

describe('Eligibility', () => {
  let database: TestDatabase;
  before(async () => (database = await testDatabase(migrations)));
  after(async () => await database.drop());

  const everyKind = ['member', 'manager', 'admin', 'accountant', null].flatMap((role) =>
    [true, false].flatMap((isDeleted) =>
      [true, false, null].map((emailVerified) => ({ role, isDeleted, emailVerified })),
    ),
  );

  for (const requireVerifiedEmail of [true, false]) {
    it(`is the same in SQL and in the domain for every kind of user (verified addresses ${requireVerifiedEmail ? 'are' : 'are not'} required)`, async () => {
      const { isPerformer, eligibility } = performerSql({ requireVerifiedEmail });
      for (const user of everyKind) {
        const [row] = await query<{ is_performer: boolean | null; eligibility: string }>(
          database.db.pool,
          `SELECT ${isPerformer('person')} AS is_performer, ${eligibility('person')} AS eligibility
           FROM (SELECT $1::text AS role, $2::boolean AS is_deleted, $3::boolean AS email_verified) AS person`,
          [user.role, user.isDeleted, user.emailVerified],
        );
        const what = JSON.stringify(user);
        const isFromEventOnly = user.role === null && !user.isDeleted;
        const expected = eligibilityOf(user, { requireVerifiedEmail });
        expect(row?.eligibility, what).to.equal(isFromEventOnly ? 'unknown' : expected);
        if (!isFromEventOnly) expect(row?.is_performer, what).to.equal(expected === 'eligible');
        else expect(row?.is_performer, what).not.to.equal(true);
      }
    });
  }
});
