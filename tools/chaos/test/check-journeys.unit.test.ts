import { expect } from 'chai';
import { check } from '../check/check.ts';
import type { Rule } from '../check/violation.ts';
import type { Evidence, JourneyOfTask } from '../evidence.ts';
import { ids, smallRun, task } from './small-run.ts';

/** A time in the third second of the run, in which Mia's request creates the task. */
const at = (micros: number) => `2026-11-20T10:00:02.${String(micros).padStart(6, '0')}Z`;
const second = 2_000;

/** The run, with the journey of the events of its first request about the task. */
function runWithJourney(): Evidence {
  const run = smallRun();
  run.events = run.events.filter(({ messageId }) => messageId !== ids.started);
  run.world.tasks[0]!.version = 1;
  run.operations[1]!.attempts = [{ began: second, ended: second + 50, status: 201 }];
  run.operations[1]!.answer!.updated_at = at(2);
  const created = [ids.created, ids.changed, ids.assigned];
  for (const [n, event] of run.events.filter(({ aggregateId }) => aggregateId === task).entries())
    Object.assign(event, { timestamp: at(n), at: second + 40 });
  run.world.journeys = [
    {
      taskId: task,
      events: created.map((id, n) => ({
        ...{ message_id: id, event: run.events.find(({ messageId }) => messageId === id)!.type, comment_id: null },
        request_id: 'r1',
        ...{ state: 'confirmed', requested_at: at(500), created_at: at(1_000 + n), published_at: at(5_000) },
        confirmed_at: at(9_000),
      })),
      messages: [
        {
          ...{ message_id: ids.assigned, event: 'tasks.task.assigned', state: 'done', created_at: at(1_002) },
          ...{ published_at: at(5_000), consumed_at: at(7_000) },
          notifications: [
            {
              ...{ id: 'notification-assigned', planned_at: at(8_000) },
              deliveries: [
                {
                  channel: 'email',
                  attempts: [
                    { started_at: at(9_000), handed_over_at: at(10_000), ended_at: at(20_000), outcome: 'sent' },
                  ],
                },
              ],
            },
          ],
        },
      ],
    },
  ];
  return run;
}

const rules: ReadonlySet<Rule> = new Set([
  'journeys are complete',
  'the steps of a journey are in order',
  'journeys agree with the workload',
]);

function faultsAfter(change: (journey: JourneyOfTask, run: Evidence) => void): Rule[] {
  const run = runWithJourney();
  change(run.world.journeys[0]!, run);
  // the shortened run breaks other rules
  return [...new Set(check(run).map(({ rule }) => rule))].filter((rule) => rules.has(rule));
}

describe('the checker of chaos runs, on journeys', () => {
  it('accepts a complete journey in order, near the times of the workload', () => {
    expect(faultsAfter(() => undefined)).deep.equal([]);
  });

  const gaps: [string, (journey: JourneyOfTask) => void][] = [
    ['an event without a journey', ({ events }) => events.pop()],
    ['an event that was never published', ({ events }) => events.push({ ...events[0]!, message_id: 'other' })],
    ['an event that waits', ({ events }) => (events[0]!.state = 'waiting')],
    ['an event without its request', ({ events }) => (events[0]!.request_id = null)],
    ['an event without the time of its request', ({ events }) => (events[0]!.requested_at = null)],
    ['an event without the time of its confirm', ({ events }) => (events[2]!.confirmed_at = null)],
    ['a message that was not consumed', ({ messages }) => messages.pop()],
    ['a message that waits', ({ messages }) => (messages[0]!.state = 'retry')],
    ['a message without its times', ({ messages }) => (messages[0]!.published_at = null)],
  ];
  for (const [what, change] of gaps)
    it(`finds ${what}`, () => expect(faultsAfter(change)).include('journeys are complete'));

  it('accepts an event of the system without a request', () => {
    const rulesBroken = faultsAfter(({ events }, run) => {
      run.events.find(({ messageId }) => messageId === ids.assigned)!.actor = null;
      Object.assign(events[2]!, { request_id: null, requested_at: null });
    });
    expect(rulesBroken).deep.equal([]);
  });

  const attempt = ({ messages }: JourneyOfTask) => messages[0]!.notifications[0]!.deliveries[0]!.attempts[0]!;
  const disorders: [string, (journey: JourneyOfTask) => void][] = [
    ['a request after its change', ({ events }) => (events[0]!.requested_at = at(1_001))],
    ['a publish before its change', ({ events }) => (events[0]!.published_at = at(999))],
    ['a confirm before its publish', ({ events }) => (events[0]!.confirmed_at = at(4_999))],
    ['a consumption before the publish', ({ messages }) => (messages[0]!.consumed_at = at(4_999))],
    ['two times of one change', ({ messages }) => (messages[0]!.created_at = at(1_000))],
    ['a plan before the consumption', ({ messages }) => (messages[0]!.notifications[0]!.planned_at = at(6_999))],
    ['a handover before its attempt', (journey) => (attempt(journey).handed_over_at = at(8_999))],
    ['a result before the handover', (journey) => (attempt(journey).ended_at = at(9_999))],
  ];
  for (const [what, change] of disorders)
    it(`finds ${what}`, () => expect(faultsAfter(change)).deep.equal(['the steps of a journey are in order']));

  it('finds a relay whose clock is behind, so that no step takes any time', () => {
    const instant = ({ events, messages }: JourneyOfTask) => {
      for (const one of events) Object.assign(one, { published_at: one.created_at, confirmed_at: one.created_at });
      messages[0]!.published_at = messages[0]!.created_at;
    };
    expect(faultsAfter(instant)).deep.equal(['the steps of a journey are in order']);
  });

  it('accepts a message that arrives twice', () => {
    expect(
      check({
        ...runWithJourney(),
        events: [...runWithJourney().events, { ...runWithJourney().events.at(-1)!, at: 9 }],
      }).filter(({ what }) => what.includes('two different contents')),
    ).deep.equal([]);
  });

  it('accepts a copy that was consumed before the attempt that was confirmed', () => {
    expect(faultsAfter(({ events }) => (events[2]!.published_at = at(8_500)))).deep.equal([]);
  });

  it('finds times more than 5 ms outside of those of the workload, and accepts less', () => {
    const move = (ms: number) => (_: JourneyOfTask, run: Evidence) => (run.trafficBegan += ms);
    for (const ms of [-5, 5]) expect(faultsAfter(move(ms)), String(ms)).deep.equal([]);
    for (const ms of [-60, 6])
      expect(faultsAfter(move(ms)), String(ms)).deep.equal(['journeys agree with the workload']);
    const late = (_: JourneyOfTask, run: Evidence) => run.events.forEach((event) => (event.at = second - 1));
    expect(faultsAfter(late)).deep.equal(['journeys agree with the workload']);
  });

  it('accepts a request that was sent twice at once, of which the first attempt lasted longer', () => {
    const twice = (_: JourneyOfTask, run: Evidence) => {
      for (const { attempts } of run.operations) attempts.push({ ...attempts[0]!, ended: attempts[0]!.began });
    };
    expect(faultsAfter(twice)).deep.equal([]);
  });
});
