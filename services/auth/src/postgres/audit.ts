import type { AuditAction } from '@taskwire/contracts';
import type { Database } from '@taskwire/postgres';
import type { Audit, AuditLog } from '../app/ports/audit.ts';
import { createRefusalBudget, type RefusalSettings } from '../domain/refusal-budget.ts';
import { appendAudit, isRecorded, listAudit, logUsersOf } from './audit-rows.ts';

export type RecordedAudit = Audit &
  AuditLog & {
    /** Writes the counted refusals as entries, and begins a new period. */
    flush(): Promise<void>;
  };

/** The audit log. Refusals beyond the settings are counted in memory; if the process is killed, the counts of the current period are lost. */
export function createAudit(
  db: Pick<Database, 'pool' | 'list' | 'transaction'>,
  settings: RefusalSettings,
): RecordedAudit {
  const budget = createRefusalBudget<AuditAction>(settings);
  return {
    record: async (entry) => await appendAudit(db.pool, entry),
    async recordOnce(entry, since) {
      await db.transaction(async (tx) => {
        if (!(await isRecorded(tx, entry, since))) await appendAudit(tx, entry);
      });
    },
    async recordRefusal(refusal) {
      logUsersOf(refusal);
      if (budget.spend(refusal) === 'entry') await appendAudit(db.pool, { ...refusal, outcome: 'failure' });
    },
    list: async (filter, place) => await listAudit(db, filter, place),
    async flush() {
      for (const { refusal, count } of budget.nextPeriod()) {
        await appendAudit(db.pool, { ...refusal, outcome: 'failure' }, count);
      }
    },
  };
}
