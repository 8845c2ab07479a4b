import { expect } from 'chai';
import { retentionFaults, retentionPage, type ServiceTables } from '../retention.ts';

const rule = (name: string, table: string) => ({ name, table, keeps: '3 days', because: 'of a test' });
const service = (
  tables: string[],
  rules = [rule('logs', 'logs')],
  kept: Record<string, string> = {},
): ServiceTables => ({
  service: 'shop',
  tables,
  retention: [{ rules, kept }],
});

describe('the check of the retention', () => {
  it('accepts tables that each have a rule or a reason to keep their rows', () => {
    expect(retentionFaults([service(['logs', 'users'], undefined, { users: 'they are users' })])).to.deep.equal([]);
  });

  it('rejects a table without a rule and without a reason to keep its rows, and says what to do', () => {
    expect(retentionFaults([service(['logs', 'orders'])])).to.deep.equal([
      'shop: the table orders grows forever; add a rule to services/shop/src/postgres/retention.ts, or the reason to keep it',
    ]);
  });

  it('rejects a table with a rule and a reason to have none, a missing table, two rules with one name, and no services', () => {
    const twice = [rule('logs', 'logs'), rule('logs', 'old_logs')];
    expect(retentionFaults([service(['logs'], twice, { logs: 'they are logs' })])).to.deep.equal([
      'shop: the table logs has a rule and a reason to have none',
      'shop: the retention names the table old_logs, which schema.sql does not have',
      'shop: two rules are named logs, so their metrics are one',
    ]);
    expect(retentionFaults([])).to.have.length(1);
  });

  it('writes a row for each rule of a table, in the format of the other documents', () => {
    const page = retentionPage([service(['logs'], [rule('logs', 'logs'), rule('names', 'logs')])]);
    expect(page.trim().split('\n').slice(-4)).to.deep.equal([
      '| table  | rows are kept | because   | rule    |',
      '| ------ | ------------- | --------- | ------- |',
      '| `logs` | 3 days        | of a test | `logs`  |',
      '| `logs` | 3 days        | of a test | `names` |',
    ]);
  });
});
