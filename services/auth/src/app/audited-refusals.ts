import { Problem } from '@taskwire/errors';
import type { Audit, NewAuditEntry } from './audit.ts';

/** Does the work, and puts a refusal of it into the audit log, with its code. What is the service's own fault is not a refusal. */
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
