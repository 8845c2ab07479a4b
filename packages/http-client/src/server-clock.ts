import type { Logger } from '@taskwire/telemetry';

/** How far the clock of a server is ahead of ours. Assertions contain times by the clock of the server that judges them. */
export type ServerClock = {
  /** Milliseconds; negative if the server's clock is behind ours, and 0 until a difference is known. */
  aheadMs(): number;
  /**
   * Learns from the `Date` of a response that rejected our credentials. Returns whether the known difference changed, so that another attempt may succeed.
   */
  adjust(date: string | undefined): boolean;
};

/**
 * The largest difference that is corrected, in milliseconds: the one that Kerberos customarily tolerates. The limit keeps a program that responds in the
 * server's place from obtaining assertions for a distant time.
 */
const mostMs = 300_000;
/** `Date` has whole seconds, and a response takes a moment, so smaller changes are no news. */
const newsMs = 3_000;

export function createServerClock(logger: Logger): ServerClock {
  let aheadMs = 0;
  return {
    aheadMs: () => aheadMs,
    adjust(date) {
      const found = Math.round(Date.parse(date ?? '') + 500 - Date.now());
      if (!Number.isFinite(found)) return false;
      const next = Math.max(-mostMs, Math.min(mostMs, found));
      if (Math.abs(next - aheadMs) < newsMs) return false;
      aheadMs = next;
      logger.warn('the clock of the token endpoint differs from ours; assertions follow its clock', { ahead_ms: next });
      return true;
    },
  };
}
