import { expect } from 'chai';
import { hasArrived, journeyLines, type Journey } from '../journey.ts';

const at = (micros: number) => `2026-11-29T10:00:00.${String(micros).padStart(6, '0')}Z`;
const failure = { attempts: 0, next_attempt_at: null, last_error: null };
const event = { message_id: 'm1', event: 'tasks.task.assigned', request_id: 'r1' };

function journey(next: string | null = null): Journey {
  const attempt = { number: 1, started_at: at(900), handed_over_at: at(1_500), ended_at: at(20_001), detail: null };
  const email = { id: 'd1', channel: 'email', state: 'sent' as const, next_attempt_at: next };
  const deliveries = [{ ...email, attempts: [{ ...attempt, outcome: 'sent' }] }];
  const notifications = [{ id: 'n1', user_id: 'u1', type: 'task.assigned', planned_at: at(800), deliveries }];
  return {
    events: [
      {
        ...{ ...event, ...failure, comment_id: null, job_id: null, trace_id: null, state: 'confirmed' },
        ...{ requested_at: at(1), created_at: at(100), published_at: at(300), confirmed_at: at(700) },
      },
    ],
    messages: [
      {
        ...event,
        ...failure,
        comment_id: null,
        created_at: at(100),
        published_at: at(300),
        consumed_at: at(650),
        state: 'done',
        notifications,
      },
    ],
  };
}

describe('the printed journey', () => {
  it('has every step in order of time, with the time since the first to the microsecond', () => {
    expect(journeyLines(journey()).map((line) => line.split(/ {2,}/).slice(1))).to.deep.equal([
      ['+0.000 ms', 'requested', 'request r1'],
      ['+0.099 ms', 'stored', 'tasks.task.assigned', 'm1'],
      ['+0.299 ms', 'published', 'tasks.task.assigned'],
      ['+0.649 ms', 'consumed', 'tasks.task.assigned'],
      ['+0.699 ms', 'confirmed', 'tasks.task.assigned'],
      ['+0.799 ms', 'planned', 'task.assigned for user u1'],
      ['+1.499 ms', 'handed over', 'task.assigned by email'],
      ['+20.000 ms', 'sent', 'task.assigned by email'],
    ]);
  });

  it('is complete once every event is confirmed and handled, and no delivery is due again', () => {
    expect(hasArrived(journey())).to.equal(true);
    expect(hasArrived(journey(at(5)))).to.equal(false);
    const { events, messages } = journey();
    expect(hasArrived({ events: events.map((one) => ({ ...one, state: 'waiting' })), messages })).to.equal(false);
    expect(hasArrived({ events, messages: messages.map((one) => ({ ...one, state: 'retry' })) })).to.equal(false);
  });
});
