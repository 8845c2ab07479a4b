/**
 * A stretch of time in which a zone has one offset. `from` and `until` are instants, the end excluded. All numbers are milliseconds. A wall time is
 * the number that would be its instant in UTC.
 */
type Stretch = { from: number; until: number; offset: number };

/** Where a wall time is in a zone. `kind` is `gap` if it does not exist, and `lost_day` if its whole day does not. */
type Placed = { at: number; kind: 'real' | 'gap' | 'lost_day' };

const dayMs = 86_400_000;

/** The stretches of a zone that contain the instants `from` to `until`, with two days more on both sides, because wall times differ from instants. */
export function stretchesOf(zone: string, from: number, until: number): Stretch[] {
  const stretches: Stretch[] = [];
  let start = Temporal.Instant.fromEpochMilliseconds(from - 2 * dayMs).toZonedDateTimeISO(zone);
  for (;;) {
    const next = start.getTimeZoneTransition('next');
    const end = next === null ? Infinity : next.epochMilliseconds;
    stretches.push({ from: start.epochMilliseconds, until: end, offset: start.offsetNanoseconds / 1_000_000 });
    if (next === null || end > until + 2 * dayMs) return stretches;
    start = next;
  }
}

/**
 * Maps wall times to instants: a time that occurs twice to its first instant, and a time in a gap to the end of the gap. The result never decreases
 * from one wall time to the next, so rules can be evaluated in order.
 */
export function place(wall: number, stretches: readonly Stretch[]): Placed {
  let before: Stretch | undefined;
  for (const stretch of stretches) {
    const at = wall - stretch.offset;
    if (at < stretch.from) return inGap(stretch, before);
    if (at < stretch.until) return { at, kind: 'real' };
    before = stretch;
  }
  throw new RangeError('the wall time is after the last stretch');
}

function inGap({ from, offset }: Stretch, before: Stretch | undefined): Placed {
  const length = before === undefined ? 0 : offset - before.offset;
  return { at: from, kind: length >= dayMs ? 'lost_day' : 'gap' };
}

/** The wall time of an instant. */
export function wallOf(at: number, zone: string): number {
  return at + Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).offsetNanoseconds / 1_000_000;
}

/** The wall time of an instant with its offset, as people read it. */
export function localTime(at: number, zone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
  return local.toString({ timeZoneName: 'never', smallestUnit: 'second' });
}
