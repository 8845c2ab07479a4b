import { expect } from 'chai';
import { schemas } from '@taskwire/contracts';
import { codeOf } from '../support/api.ts';
import { tasksHarness, type Person, type TasksHarness } from '../support/tasks-harness.ts';

describe('The preview of a schedule', () => {
  let harness: TasksHarness;
  let ann: Person;
  before(async () => {
    harness = await tasksHarness({ PROCESS_ROLE: 'api' });
    ann = await harness.join('Ann', 'member');
  });
  after(async () => await harness.stop());

  const preview = async (body: Record<string, unknown>) =>
    await harness.call('previewSchedule', { token: ann.token, body });

  it('shows the next occurrences with their local times, and those that a gap skips', async () => {
    const gap = nextGap('Europe/Berlin');
    const dayBefore = gap.subtract({ days: 1 }).startOfDay();
    const starts_at = dayBefore.toInstant().toString();
    const rule = { kind: 'cron', expression: '30 2 * * *', time_zone: 'Europe/Berlin', starts_at };
    const { status, body } = await preview({ ...rule, dst_gap: 'skip', limit: 3 });
    expect(status).to.equal(200);
    const planned = (at: Temporal.ZonedDateTime, more = {}) => ({
      nominal_at: at.toInstant().toString({ fractionalSecondDigits: 6 }),
      local_time: at.toString({ timeZoneName: 'never' }),
      ...{ state: 'planned', reason: null },
      ...more,
    });
    expect(body).to.deep.equal({
      data: [
        planned(dayBefore.with({ hour: 2, minute: 30 })),
        planned(gap, { state: 'skipped', reason: 'dst_gap' }),
        planned(gap.add({ days: 1 }).with({ hour: 2, minute: 30 })),
      ],
    });
  });

  it('counts from now, by the clock of the database, if no start is given', async () => {
    const { body } = await preview({ kind: 'every', expression: 'PT1H', limit: 1 });
    const [first] = (body as { data: { nominal_at: string }[] }).data;
    expect(Date.parse(first?.nominal_at ?? '') - Date.now()).to.be.within(3_590_000, 3_600_000);
  });

  it('starts an RRULE without a start at the next full minute, so that COUNT has all its occurrences', async () => {
    const { body } = await preview({ kind: 'rrule', expression: 'FREQ=DAILY;COUNT=2', limit: 5 });
    const instants = (body as { data: { nominal_at: string }[] }).data.map(({ nominal_at }) => Date.parse(nominal_at));
    const [first = NaN, second = NaN] = instants;
    expect(instants).to.have.length(2);
    expect(first % 60_000).to.equal(0);
    expect(first - Date.now()).to.be.at.most(60_000);
    expect(second - first).to.equal(86_400_000);
  });

  it('refuses a rule that cannot be used, and names the field', async () => {
    const daily = { kind: 'cron', expression: '0 9 * * *' };
    const faults: [Record<string, unknown>, string, string][] = [
      [{ ...daily, expression: '0 0 31 2 *' }, 'schedule_never_runs', 'expression'],
      [{ kind: 'at', expression: '2020-01-01T00:00:00Z' }, 'schedule_never_runs', 'expression'],
      [{ kind: 'rrule', expression: 'FREQ=MINUTELY' }, 'use_every_or_cron', 'expression'],
      [{ kind: 'every', expression: 'PT59S' }, 'invalid_input', 'expression'],
      [{ ...daily, expression: '1,'.repeat(300) }, 'invalid_input', 'expression'],
      [{ ...daily, time_zone: 'Mars/Olympus' }, 'invalid_input', 'time_zone'],
      [{ ...daily, starts_at: '2040-01-02T00:00:00Z', ends_at: '2040-01-01T00:00:00Z' }, 'invalid_input', 'ends_at'],
    ];
    for (const [body, code, field] of faults) {
      const answer = await preview(body);
      expect([answer.status, codeOf(answer)], JSON.stringify(body)).to.deep.equal([422, code]);
      expect(schemas.problem.parse(answer.body).errors?.[0]?.field).to.equal(field);
    }
  });
});

/** The next time at which the clocks of a zone go forward: the end of the gap. */
function nextGap(zone: string): Temporal.ZonedDateTime {
  let next = Temporal.Now.zonedDateTimeISO(zone).getTimeZoneTransition('next');
  while (next !== null && next.offsetNanoseconds < next.subtract({ hours: 1 }).offsetNanoseconds) {
    next = next.getTimeZoneTransition('next');
  }
  if (next === null) throw new Error(`${zone} has no more transitions`);
  return next;
}
