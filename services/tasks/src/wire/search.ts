import { createLoop, type Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { followingChanges } from '../postgres/search/follow.ts';
import { observeSearch } from '../postgres/search/metrics.ts';

/** A change is in the search after at most two seconds. That covers two rounds, because the first round may find the transaction still running. */
const pollMs = 500;

/** The loop that keeps the text search up to date. */
export function wireSearch(db: Database, telemetry: Telemetry): Loop {
  observeSearch(db, telemetry);
  return createLoop({
    name: 'task search',
    tick: followingChanges(db),
    intervalMs: pollMs,
    logger: telemetry.logger,
  });
}
