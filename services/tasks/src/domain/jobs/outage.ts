/**
 * How long workers or the reaper may be silent before leases are kept. Long polls and heartbeats of a busy fleet come every second; a restart of `api`
 * or a failover of the database takes longer than this.
 */
export const silenceMs = 5_000;

/** The reaper's view at the beginning of a round, by the database's clock. */
type Silence = {
  /** Since the previous round of the reaper in any process. */
  sinceTickMs: number;
  /** Since the last sign of life from any worker. */
  sinceHeardMs: number;
  /** Whether the previous round found an outage. */
  isOutage: boolean;
};

/**
 * The reaper's action in a round. `expire`: ends leases that have expired. `hold`: workers may be alive and unable to reach us, so a lease ends only
 * when it has been expired for another lease period. `extend`: they are back, and each lease gets one period from now, but no lease twice without a
 * heartbeat in between, so that a worker that stays away loses its lease.
 */
type ReaperRound = { kind: 'expire' | 'hold' | 'extend' };

export function reaperRound({ sinceTickMs, sinceHeardMs, isOutage }: Silence): ReaperRound {
  if (sinceTickMs > silenceMs || sinceHeardMs > silenceMs) return { kind: 'hold' };
  return { kind: isOutage ? 'extend' : 'expire' };
}
