import { Problem } from '@taskwire/errors';
import type { Audit, NewAuditEntry } from './ports/audit.ts';

/** Runs the work and records a refusal in the audit log, with its code. A failure of the service itself is not a refusal. */
export async function withAuditedRefusals<T>(
  audit: Audit,
  attempt: Omit<NewAuditEntry, 'outcome' | 'reason'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem && error.status < 500) {
      await audit.recordRefusal({ ...attempt, reason: error.code });
    }
    throw error;
  }
}
