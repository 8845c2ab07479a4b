import type { GapPolicy, Occurrence, Window } from './rule.ts';
import { place, stretchesOf, wallOf } from './zone.ts';

/** The wall times of a rule in ascending order, starting at or after `from`. The sequence may be infinite. */
export type WallTimes = (from: number) => Iterable<number>;

type Zoned = { zone: string; dstGap: GapPolicy };

/**
 * The instants of a rule with fixed times of day. Each wall time runs once: at its first instant if it occurs twice, and after the gap, or not at all,
 * if it does not exist. A wall time of a lost day never runs. Wall times that share an instant are one occurrence, which runs if any of them does.
 */
export function* fixedTimes(
  times: WallTimes,
  { zone, dstGap }: Zoned,
  { after, until, limit }: Window,
): Generator<Occurrence> {
  const stretches = stretchesOf(zone, after, until);
  let pending: Occurrence | undefined;
  let count = 0;
  for (const wall of times(wallOf(after, zone))) {
    // no offset is more than a day, so neither this wall time nor a later one is in the window
    if (wall > until + 86_400_000) break;
    const { at, kind } = place(wall, stretches);
    if (at <= after) continue;
    if (at > until) break;
    const skipped = kind === 'lost_day' || (kind === 'gap' && dstGap === 'skip') ? 'dst_gap' : null;
    if (pending?.at === at) {
      pending = { at, skipped: pending.skipped === null ? null : skipped };
      continue;
    }
    if (pending !== undefined) {
      yield pending;
      count += 1;
      if (count === limit) return;
    }
    pending = { at, skipped };
  }
  if (pending !== undefined) yield pending;
}

/** The instants of a rule with an interval, such as every 15 minutes: all whose wall time matches, so both passes of a repeated hour and none in a gap. */
export function* intervalTimes(times: WallTimes, zone: string, { after, until, limit }: Window): Generator<Occurrence> {
  let count = 0;
  for (const stretch of stretchesOf(zone, after, until)) {
    if (stretch.until <= after) continue;
    const from = Math.max(stretch.from, after + 1);
    for (const wall of times(from + stretch.offset)) {
      const at = wall - stretch.offset;
      if (at >= stretch.until || at > until) break;
      yield { at, skipped: null };
      count += 1;
      if (count === limit) return;
    }
    if (stretch.until > until) return;
  }
}
