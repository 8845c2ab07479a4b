import { expect } from 'chai';
import { propertyRuns, propertyTimeoutMs } from '@taskwire/testing';
import { evaluate } from '../../src/recurrence/evaluate.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const from = Date.parse('2020-01-01T00:00:00Z');
const until = Date.parse('2041-01-01T00:00:00Z');

type Transition = { zone: string; at: number };

/** All transitions of all zones of IANA's database. */
function allTransitions(): Transition[] {
  return Intl.supportedValuesOf('timeZone').flatMap((zone) => {
    const found: Transition[] = [];
    let next = Temporal.Instant.fromEpochMilliseconds(from).toZonedDateTimeISO(zone).getTimeZoneTransition('next');
    for (; next !== null && next.epochMilliseconds < until; next = next.getTimeZoneTransition('next')) {
      found.push({ zone, at: next.epochMilliseconds });
    }
    return found;
  });
}

/** A local time as the number that would be its instant in UTC. */
function local(at: number, zone: string): number {
  const { offsetNanoseconds } = Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone);
  return at + offsetNanoseconds / 1_000_000;
}

/** The minutes around a transition with the local times that a wall clock shows, computed without the rules under test. */
function minutesAround({ zone, at }: Transition): { at: number; wall: number }[] {
  return Array.from({ length: 12 * 60 + 1 }, (_, index) => {
    const minute = at + (index - 6 * 60) * minuteMs;
    return { at: minute, wall: local(minute, zone) };
  });
}

const quarter = 15 * minuteMs;
const timeOfDay = (wall: number) => wall - Math.floor(wall / dayMs) * dayMs;

/** Compares the evaluation of a fixed time and of an interval with the minutes of the clock. */
function faultOf(transition: Transition): string | undefined {
  const { zone, at } = transition;
  const minutes = minutesAround(transition);
  const window = { after: at - 4 * hourMs, until: at + 4 * hourMs, limit: 1_000 };
  const inWindow = (instant: number) => instant > window.after && instant <= window.until;
  const base = { timeZone: zone, startsAt: null, endsAt: null };
  const seen = (expression: string, dstGap: 'run_after' | 'skip') =>
    evaluate({ ...base, kind: 'cron', expression, dstGap }, window).map((one) => `${one.at}${one.skipped ?? ''}`);
  const equal = (found: string[], expected: string[], what: string) =>
    found.join() === expected.join()
      ? undefined
      : `${zone} at ${new Date(at).toISOString()}, ${what}: ${found.join()} instead of ${expected.join()}`;

  // an interval runs in each minute whose local time matches
  const interval = minutes.filter((one) => inWindow(one.at) && one.wall % quarter === 0).map((one) => String(one.at));

  // a fixed time runs in the first minute whose local time has come
  const hours = [...new Set(minutes.map(({ wall }) => Math.floor(timeOfDay(wall) / hourMs)))].toSorted((a, b) => a - b);
  const runs = new Map<number, boolean>();
  const first = minutes[0]?.wall ?? 0;
  for (let wall = Math.ceil(first / quarter) * quarter; wall <= (minutes.at(-1)?.wall ?? 0); wall += quarter) {
    const run = minutes.find((one) => one.wall >= wall);
    if (run !== undefined && inWindow(run.at)) runs.set(run.at, (runs.get(run.at) ?? false) || run.wall === wall);
  }
  const ordered = [...runs].toSorted(([a], [b]) => a - b);
  const fixed = `0,15,30,45 ${hours.join()} * * *`;
  return (
    equal(seen('*/15 * * * *', 'skip'), interval, 'an interval') ??
    equal(
      seen(fixed, 'run_after'),
      ordered.map(([run]) => String(run)),
      'a fixed time that runs after a gap',
    ) ??
    equal(
      seen(fixed, 'skip'),
      ordered.map(([run, exists]) => `${run}${exists ? '' : 'dst_gap'}`),
      'a fixed time that skips a gap',
    )
  );
}

describe('Rules at the transitions of all time zones from 2020 to 2040', function () {
  this.timeout(propertyTimeoutMs);

  it('run in the minutes that a wall clock shows', () => {
    const all = allTransitions();
    expect(all.length).to.be.greaterThan(4_000);
    const special = ['Australia/Lord_Howe', 'America/Santiago', 'Africa/Casablanca', 'Antarctica/Troll'];
    const chosen = special.flatMap((zone) => all.filter((one) => one.zone === zone).slice(0, 2));
    // a drill has more runs than there are transitions, and so covers them all
    const { numRuns, seed } = propertyRuns({ test: 40, drill: 20_000 });
    const start = seed % all.length;
    const step = numRuns >= all.length ? 1 : 997;
    const others = Array.from(
      { length: Math.min(numRuns, all.length) },
      (_, index) => all[(start + index * step) % all.length],
    );
    const faults = [...chosen, ...others].flatMap((one) => (one === undefined ? [] : [faultOf(one)]));
    expect(faults.filter((fault) => fault !== undefined).slice(0, 5)).to.deep.equal([]);
  });
});
