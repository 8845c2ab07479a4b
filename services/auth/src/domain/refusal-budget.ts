import { noOrigin, type AuditSubject, type AuditContext } from './audit-context.ts';
import { networkOf } from './network.ts';

/** The number of refusals that get their own audit entry. */
export type RefusalSettings = {
  /** Refusals from one network per period. */
  perNetwork: number;
  /** The maximum for all networks per period. Further refusals are only counted; their counts add at most about as many entries again. */
  perPeriod: number;
};

/** A refused attempt. */
export type Refusal<A extends string> = AuditContext & {
  action: A;
  subject: AuditSubject | null;
  /** The code of the refusal. */
  reason?: string | undefined;
};

export type RefusalCount<A extends string> = { refusal: Refusal<A>; count: number };

export type RefusalBudget<A extends string> = {
  /** Whether this refusal gets its own entry, or is only counted. */
  spend(refusal: Refusal<A>): 'entry' | 'counted';
  /** Begins a new period. Returns the counts of the previous one, the highest first. */
  nextPeriod(): RefusalCount<A>[];
};

/**
 * The maximum number of distinct counts kept during a period, at a few hundred bytes each. Beyond this number, refusals are counted without their
 * details.
 */
const maxCounts = 10_000;

/**
 * Decides which refusals get their own audit entry, so that an attacker can't fill the log. Refusals beyond the settings are counted, by action,
 * reason, actor, subject and network. At the end of a period, the `perPeriod` highest counts are returned individually, and the others as one count
 * for each action and reason. A period thus adds little more than twice `perPeriod` entries, however many requests the service refuses.
 */
export function createRefusalBudget<A extends string>(settings: RefusalSettings): RefusalBudget<A> {
  let spent = 0;
  let spentBy = new Map<string, number>();
  let counts = new Map<string, RefusalCount<A>>();

  function isAffordable({ reason, origin }: Refusal<A>): boolean {
    // limits refuse repeated attempts, and the first of these were already recorded
    if (reason === 'rate_limited' || spent >= settings.perPeriod) return false;
    const network = networkOf(origin.ip ?? '');
    const before = spentBy.get(network) ?? 0;
    if (before >= settings.perNetwork) return false;
    spent += 1;
    spentBy.set(network, before + 1);
    return true;
  }

  return {
    spend(refusal) {
      if (isAffordable(refusal)) return 'entry';
      add(counts, refusal, 1);
      return 'counted';
    },
    nextPeriod() {
      const highest = [...counts.values()].sort((one, other) => other.count - one.count);
      [spent, spentBy, counts] = [0, new Map(), new Map()];
      const rest = new Map<string, RefusalCount<A>>();
      for (const { refusal, count } of highest.splice(settings.perPeriod)) add(rest, withoutDetails(refusal), count);
      return [...highest, ...rest.values()];
    },
  };
}

function add<A extends string>(counts: Map<string, RefusalCount<A>>, refusal: Refusal<A>, times: number): void {
  const { action, reason, actor, subject, origin } = refusal;
  const key = JSON.stringify([action, reason, actor, subject, origin.ip, origin.clientId]);
  const known = counts.get(key);
  if (known !== undefined) known.count += times;
  else if (counts.size < maxCounts) counts.set(key, { refusal, count: times });
  else if (origin.ip !== null) add(counts, withoutDetails(refusal), times);
  // the number of such counts is limited by the number of actions and reasons
  else counts.set(key, { refusal, count: times });
}

function withoutDetails<A extends string>({ action, reason }: Refusal<A>): Refusal<A> {
  return { action, reason, actor: null, subject: null, origin: noOrigin };
}
