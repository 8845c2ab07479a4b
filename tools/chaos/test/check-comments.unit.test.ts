import { expect } from 'chai';
import type { Evidence } from '../evidence.ts';
import { ann, brokenBy, mia, task } from './small-run.ts';

const at = (second: number) => `2026-11-20T10:00:${String(second).padStart(2, '0')}.000000Z`;
const comment = 'comment-1';

/** Adds a comment by Mia that mentions no one, and its change, which mentions Ann. */
function commented(run: Evidence): void {
  const row = { id: comment, task_id: task, author_id: mia, version: 2, created_at: at(10), updated_at: at(11) };
  const body = `c1 edit1 <@${ann}>`;
  run.world.comments.push({ ...row, body });
  const entry = { task_id: task, actor_id: mia, field: 'comment', reason: null };
  run.world.activity.push(
    { ...entry, seq: 10, action: 'comment_added', from: null, to: comment, created_at: at(10) },
    { ...entry, seq: 11, action: 'comment_changed', from: comment, to: comment, created_at: at(11) },
  );
  const event = { aggregateId: comment, actor: mia, named: null, task };
  run.events.push(
    { ...event, messageId: 'm-added', type: 'tasks.comment.added', timestamp: at(10), mentioned: [] },
    { ...event, messageId: 'm-changed', type: 'tasks.comment.changed', timestamp: at(11), mentioned: [ann] },
  );
  const base = { attempts: [], replays: [], outcome: 'acknowledged' as const, actorId: mia };
  run.operations.push(
    {
      ...{
        ...base,
        n: 20,
        at: 2_000,
        subjectId: task,
        answer: { id: comment, version: 1, body: 'c1', updated_at: at(10) },
      },
      intent: { kind: 'add_comment', actor: 'mia', on: 't1', comment: 'c1', mentions: [] },
    },
    {
      ...{
        ...base,
        n: 21,
        at: 2_100,
        subjectId: comment,
        answer: { id: comment, version: 2, body, updated_at: at(11) },
      },
      intent: { kind: 'change_comment', actor: 'mia', comment: 'c1', edit: 'edit1', mentions: ['u1'] },
    },
  );
  for (const [index, id] of ['m-added', 'm-changed'].entries())
    run.world.inbox.push({ service: 'notifications', message_id: id, handler: 'notify', received_at: at(12 + index) });
  run.world.notifications.push(notifiedOf.added);
}

const notification = { user_id: ann, task_id: task, is_in_app: true };
/** The notification of Ann by each event. She gets that of the event which is handled first. */
const notifiedOf = {
  added: { ...notification, id: 'n-added', event_id: 'm-added', type: 'comment.added', created_at: at(12) },
  changed: { ...notification, id: 'n-changed', event_id: 'm-changed', type: 'comment.mentioned', created_at: at(13) },
};

const brokenAfter = (change: (run: Evidence) => void) =>
  brokenBy((run) => {
    commented(run);
    change(run);
  });

describe('the checker, on comments', () => {
  it('accepts a comment that was added and changed', () => {
    expect(brokenAfter(() => undefined)).to.deep.equal([]);
  });

  it('finds an acknowledged comment that is gone', () => {
    const rules = brokenAfter(({ world }) => void world.comments.pop());
    expect(rules).to.include('acknowledged changes persist');
  });

  it('finds a comment whose acknowledged text was lost', () => {
    const rules = brokenAfter(({ world }) => void (world.comments[0]!.body = 'c1'));
    expect(rules).to.deep.equal(['acknowledged changes persist']);
  });

  it('finds a comment that was added twice under one key', () => {
    const rules = brokenAfter(({ operations }) => void operations.at(-2)!.replays.push({ id: 'another' }));
    expect(rules).to.include('nothing happens twice');
  });

  it('finds a comment that a refused request added', () => {
    const rules = brokenAfter(({ operations }) => {
      operations.at(-2)!.outcome = 'refused';
      delete operations.at(-2)!.answer;
    });
    expect(rules).to.deep.equal(['refused requests have no effect']);
  });

  it('finds a change that no request made', () => {
    expect(brokenAfter(({ operations }) => void operations.pop())).to.deep.equal(['nothing happens twice']);
  });

  it('finds a comment that exists although its deletion was acknowledged', () => {
    const rules = brokenAfter(({ operations }) => {
      const last = operations.at(-1)!;
      const intent = { kind: 'delete_comment', actor: 'mia', comment: 'c1' } as const;
      operations.push({ ...last, n: 22, intent, answer: {} });
    });
    expect(rules).to.deep.equal(['acknowledged changes persist']);
  });

  it('finds an entry without an event, and an event without an entry', () => {
    for (const change of [(run: Evidence) => void run.events.pop(), (run: Evidence) => void run.world.activity.pop()])
      expect(brokenAfter(change)).to.include('every change is published once');
  });

  it('accepts a user who was notified by the change of a comment, and not by its creation', () => {
    const rules = brokenAfter(({ world }) => void world.notifications.splice(-1, 1, notifiedOf.changed));
    expect(rules).to.deep.equal([]);
  });

  it('finds a comment of which a user was not notified, was notified twice, or was notified by the wrong event', () => {
    const wrong = { ...notifiedOf.changed, event_id: 'm-added' };
    for (const written of [[], [notifiedOf.added, notifiedOf.changed], [notifiedOf.added, wrong], [wrong]])
      expect(brokenAfter(({ world }) => void world.notifications.splice(-1, 1, ...written))).to.deep.equal([
        'each recipient is notified once',
      ]);
  });

  it('finds a user whom two events of a comment name as mentioned', () => {
    const rules = brokenAfter(({ events }) => void (events.at(-2)!.mentioned = [ann]));
    expect(rules).to.include('nothing happens twice');
  });

  it('accepts a performer who was assigned after the comment, with or without a notification', () => {
    const assign = ({ world }: Evidence) => {
      const last = world.activity.find(({ action }) => action === 'assigned')!;
      world.activity.push({ ...last, seq: 12, to: mia, created_at: at(20) });
    };
    const rules = (change: (run: Evidence) => void) =>
      brokenAfter((run) => {
        assign(run);
        run.events.at(-1)!.mentioned = [];
        change(run);
      }).filter((rule) => rule === 'each recipient is notified once');
    expect(rules(() => undefined)).to.deep.equal([]);
    expect(rules(({ world }) => void world.notifications.pop())).to.deep.equal([]);
  });
});
