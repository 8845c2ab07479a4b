import type { Database } from '@taskwire/postgres';
import { noOrigin, type Audit, type AuditLog, type NewAuditEntry } from '../app/audit.ts';
import { appendAudit, isRecorded, listAudit } from './audit-rows.ts';
import { networkOf } from './limits.ts';

/** Numbers of refusals that this process records individually. */
export type RefusalSettings = {
  /** Refusals from one network per period. */
  perNetwork: number;
  /** All refusals per period; the counts of the rest add at most as many entries. */
  perPeriod: number;
};

type Refusal = Omit<NewAuditEntry, 'outcome'>;

export type RecordedAudit = Audit &
  AuditLog & {
    /** Begins a new period and writes the counted refusals as entries. */
    endPeriod(): Promise<void>;
  };

/**
 * The audit log. Refusals beyond the settings are counted in memory, by action, reason, actor, subject and network, and written when the period ends:
 * the `perPeriod` highest counts individually, and one count for each action and reason with all others. A period thus adds little more than twice
 * `perPeriod` entries, however many requests the service refuses. A process that is killed loses the counts of its period.
 */
export function createAudit(db: Pick<Database, 'pool' | 'transaction'>, settings: RefusalSettings): RecordedAudit {
  let recorded = 0;
  let recordedOf = new Map<string, number>();
  let counted = new Map<string, { refusal: Refusal; count: number }>();

  function isWorthAnEntry(refusal: Refusal): boolean {
    // the limits refuse repeated attempts, the earlier of which were recorded
    if (refusal.reason === 'rate_limited' || recorded >= settings.perPeriod) return false;
    const network = networkOf(refusal.origin.ip ?? '');
    const before = recordedOf.get(network) ?? 0;
    if (before >= settings.perNetwork) return false;
    recorded += 1;
    recordedOf.set(network, before + 1);
    return true;
  }

  function count(refusal: Refusal, times: number, counts = counted): void {
    const { action, reason, actor, subject, origin } = refusal;
    const key = JSON.stringify([action, reason, actor, subject, origin.ip, origin.clientId]);
    const known = counts.get(key);
    if (known !== undefined) known.count += times;
    else if (counts.size < mostCounts) counts.set(key, { refusal, count: times });
    else if (refusal.origin.ip !== null) count(withoutDetails(refusal), times, counts);
    // there are only as many of these as actions and reasons
    else counts.set(key, { refusal, count: times });
  }

  return {
    record: async (entry) => await appendAudit(db.pool, entry),
    async recordOnce(entry, since) {
      await db.transaction(async (tx) => {
        if (!(await isRecorded(tx, entry, since))) await appendAudit(tx, entry);
      });
    },
    async recordRefusal(refusal) {
      if (isWorthAnEntry(refusal)) await appendAudit(db.pool, { ...refusal, outcome: 'failure' });
      else count(refusal, 1);
    },
    list: async (filter) => await listAudit(db.pool, filter),
    async endPeriod() {
      const ended = [...counted.values()].sort((one, other) => other.count - one.count);
      counted = new Map();
      recordedOf = new Map();
      recorded = 0;
      const rest: typeof counted = new Map();
      for (const { refusal, count: times } of ended.splice(settings.perPeriod)) {
        count(withoutDetails(refusal), times, rest);
      }
      for (const { refusal, count: times } of [...ended, ...rest.values()]) {
        await appendAudit(db.pool, { ...refusal, outcome: 'failure' }, times);
      }
    },
  };
}

/** A few hundred bytes each. */
const mostCounts = 10_000;

function withoutDetails({ action, reason }: Refusal): Refusal {
  return { action, reason, actor: null, subject: null, origin: noOrigin };
}
