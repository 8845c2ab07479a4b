import { expect } from 'chai';
import type { Evidence } from '../evidence.ts';
import { ann, brokenBy, ids, mia, task } from './small-run.ts';

describe('the checker of chaos runs', () => {
  describe('on events', () => {
    it('finds an event that was never published', () => {
      const rules = brokenBy((run) => {
        run.events = run.events.filter(({ messageId }) => messageId !== ids.changed);
        run.world.inbox = run.world.inbox.filter(({ message_id }) => message_id !== ids.changed);
      });
      expect(rules).deep.equal(['every change is published once']);
    });

    it('finds an event that was published under two ids', () => {
      const rules = brokenBy(({ events }) => void events.push({ ...events[5]!, messageId: 'another' }));
      expect(rules).include('every change is published once');
    });

    it('accepts an event that was published again under its id', () => {
      expect(brokenBy(({ events }) => void events.push({ ...events[3]! }))).deep.equal([]);
    });

    it('finds an event that names another user', () => {
      expect(brokenBy(({ events }) => void (events[4]!.named = mia))).include('every change is published once');
    });

    it('finds a change of a user that was not published', () => {
      expect(brokenBy(({ world }) => void (world.users[1]!.version = 2))).include('every change is published once');
    });

    it('finds two events of one task in the wrong order', () => {
      const rules = brokenBy(({ events }) => void events.push(...events.splice(3, 1)));
      expect(rules).deep.equal(['events of one aggregate are published in order']);
    });
  });

  describe('on consumers', () => {
    const lose = (id: string) => (run: Evidence) => {
      run.world.inbox = run.world.inbox.filter(({ message_id }) => message_id !== id);
    };

    it('finds an event that is in no inbox', () => {
      expect(brokenBy(lose(ids.started))).deep.equal(['every event is consumed']);
    });

    it('finds an event that only one of two services has', () => {
      const rules = brokenBy(({ world }) => void world.inbox.shift());
      expect(rules).deep.equal(['every event is consumed']);
    });

    it('finds an event that one of two handlers has missed', () => {
      const rules = brokenBy(({ events, world }) => {
        events.push({ ...events[5]!, messageId: 'another', timestamp: '2026-11-20T10:00:06.000000Z' });
        world.inbox.push({ ...world.inbox.at(-1)!, message_id: 'another', handler: 'notify' });
        world.inbox.push({ ...world.inbox.at(-1)!, message_id: 'another', handler: 'audit' });
      });
      expect(rules).include('every event is consumed');
    });

    const swap = ({ world }: Evidence) => {
      const [a, b] = world.inbox.slice(-2);
      [a!.received_at, b!.received_at] = [b!.received_at, a!.received_at];
    };

    it('finds two events of one task in the wrong order', () => {
      expect(brokenBy(swap)).deep.equal(['inboxes keep the order of the activity log']);
    });

    it('accepts an order that the operator caused', () => {
      const rules = brokenBy((run) => {
        swap(run);
        run.injections.push({ kind: 'reorder', to: 'notifications', messageIds: [ids.started] });
      });
      expect(rules).deep.equal([]);
    });
  });

  describe('on notifications', () => {
    const rule = 'each recipient is notified once';

    it('finds a missing notification', () => {
      expect(brokenBy(({ world }) => void world.notifications.splice(2, 1))).include(rule);
    });

    it('finds a duplicate notification', () => {
      const rules = brokenBy(({ world }) => void world.notifications.push({ ...world.notifications[2]!, id: 'again' }));
      expect(rules).include(rule);
    });

    it('finds a notification to a user whom it does not concern', () => {
      expect(brokenBy(({ world }) => void (world.notifications[2]!.user_id = mia))).include(rule);
    });

    it('finds a notification to the actor', () => {
      const rules = brokenBy(({ world }) => {
        world.notifications.push({ ...world.notifications[3]!, id: 'again', user_id: ann });
      });
      expect(rules).include(rule);
    });

    it('finds a notification about an event that was never published', () => {
      expect(brokenBy(({ world }) => void (world.notifications[0]!.event_id = 'stray'))).include(rule);
    });

    it('accepts a welcome before the event of the creation, but not a second one with the event', () => {
      const early = brokenBy(({ world }) => void (world.notifications[1]!.event_id = ann));
      expect(early).deep.equal([]);
      const both = brokenBy(
        ({ world }) => void world.notifications.push({ ...world.notifications[1]!, id: 'again', event_id: ann }),
      );
      expect(both).include(rule);
    });

    it('accepts that the notification of a deleted user is missing', () => {
      const rules = brokenBy(({ events, world }) => {
        world.notifications.splice(1, 1);
        world.users[1] = {
          ...world.users[1]!,
          is_deleted: true,
          version: 2,
          updated_at: '2026-11-20T10:00:09.000000Z',
        };
        events.push({
          ...events[0]!,
          messageId: 'gone',
          type: 'auth.user.deleted',
          timestamp: '2026-11-20T10:00:09.000000Z',
        });
      });
      expect(rules).not.include(rule);
    });

    /** Returns a change that deletes Ann's account, with all required effects except the omitted one. */
    const deletion = (leftOut?: 'event' | 'notification') => (run: Evidence) => {
      const { events, world } = run;
      const timestamp = '2026-11-20T10:00:09.000000Z';
      world.users[1] = { ...world.users[1]!, is_deleted: true, version: 2, updated_at: timestamp };
      events.push({ ...events[1]!, messageId: 'gone', type: 'auth.user.deleted', timestamp });
      const notice = { type: 'auth.account.deleted', aggregateId: 'notice', actor: ann, named: ann };
      if (leftOut !== 'event') events.push({ ...notice, messageId: 'notice', timestamp });
      const added = { ...world.notifications[1]!, id: 'added', event_id: 'notice', type: 'security.account_deleted' };
      if (leftOut === undefined) world.notifications.push({ ...added, is_in_app: false });
    };

    it('finds a deletion without a notification to the former owner, or without an event', () => {
      expect(brokenBy(deletion())).not.include(rule);
      expect(brokenBy(deletion('notification'))).include(rule);
      expect(brokenBy(deletion())).not.include('every change is published once');
      expect(brokenBy(deletion('event'))).include('every change is published once');
    });

    it('finds a notification about a role change that did not happen', () => {
      const rules = brokenBy(({ events }) => {
        const notice = { type: 'auth.account.role_changed', aggregateId: 'notice', actor: mia, named: ann };
        events.push({ ...notice, messageId: 'notice', timestamp: '2026-11-20T10:00:09.000000Z' });
      });
      expect(rules).include('every change is published once').and.include(rule);
    });

    it('finds two notifications in the wrong order', () => {
      const rules = brokenBy(({ world }) => {
        world.notifications[3]!.user_id = ann;
        world.notifications[3]!.created_at = '2026-11-20T10:00:03.500000Z';
      });
      expect(rules).include('inboxes keep the order of the activity log');
    });
  });

  describe('on mails', () => {
    const rule = 'mails are not duplicated';

    it('finds a second mail that no unknown outcome explains', () => {
      expect(brokenBy(({ mails }) => void mails.push({ ...mails[0]! }))).deep.equal([rule]);
    });

    it('accepts a second mail after an unknown outcome', () => {
      const rules = brokenBy(({ mails, world }) => {
        mails.push({ ...mails[0]! });
        world.deliveries[0]!.unknown_outcomes = 1;
      });
      expect(rules).deep.equal([]);
    });

    it('finds a mail that is recorded as sent and has not arrived', () => {
      expect(brokenBy((run) => void (run.mails = []))).deep.equal([rule]);
    });

    it('finds a mail whose delivery failed', () => {
      const rules = brokenBy((run) => {
        run.mails = [];
        run.world.deliveries[0]!.state = 'failed';
      });
      expect(rules).deep.equal([rule]);
    });

    /** Ends Ann's assignment of the task. She is notified of this too. */
    function takeFromAnn({ events, world, mails }: Evidence): void {
      const at = '2026-11-20T10:00:05.000000Z';
      events.push({
        ...events[5]!,
        messageId: 'taken',
        type: 'tasks.task.unassigned',
        timestamp: at,
        actor: mia,
        named: ann,
      });
      const added = {
        ...world.notifications[2]!,
        id: 'notification-taken',
        event_id: 'taken',
        type: 'task.unassigned',
      };
      world.notifications.push({ ...added, created_at: at });
      world.deliveries.push({ ...world.deliveries[0]!, notification_id: added.id });
      mails.push({ ...mails[0]!, id: added.id });
    }

    it('finds a skipped mail that was current and the last about its task', () => {
      const skip = (run: Evidence) => {
        run.mails = run.mails.filter(({ id }) => id !== 'notification-assigned');
        run.world.deliveries[0]!.state = 'skipped';
      };
      expect(brokenBy(skip)).deep.equal([rule]);
      const skipSuperseded = (run: Evidence) => {
        takeFromAnn(run);
        skip(run);
      };
      expect(brokenBy(skipSuperseded)).not.include(rule);
      const skipPointless = (run: Evidence) => {
        skip(run);
        run.world.tasks[0]!.assignee_id = mia;
      };
      expect(brokenBy(skipPointless)).not.include(rule);
    });

    it('finds a mail that overtook another about the same task', () => {
      const order = 'mails about a task arrive in order';
      expect(brokenBy(takeFromAnn)).not.include(order);
      const turn = (run: Evidence) => {
        takeFromAnn(run);
        run.mails.reverse();
      };
      expect(brokenBy(turn)).include(order);
      const doubt = (run: Evidence) => {
        turn(run);
        run.world.deliveries[0]!.unknown_outcomes = 1;
      };
      expect(brokenBy(doubt)).not.include(order);
    });

    it('finds a mail that belongs to no notification', () => {
      expect(brokenBy(({ mails }) => void mails.push({ id: 'stray', to: '' }))).deep.equal([rule]);
    });
  });

  describe('on directories', () => {
    const rule = 'directories equal the users of Auth';

    it('finds a missing user', () => {
      expect(brokenBy(({ world }) => void world.directory.pop())).deep.equal([rule]);
    });

    it('finds a user with the wrong role', () => {
      expect(brokenBy(({ world }) => void (world.directory[1]!.role = 'manager'))).deep.equal([rule]);
    });

    it('finds a deleted user who is still active in a directory', () => {
      const rules = brokenBy(({ world }) => void (world.users[0]!.is_deleted = true));
      expect(rules).include(rule);
    });

    it('finds a user whose state is not fetched yet', () => {
      expect(brokenBy(({ world }) => void (world.directory[0]!.is_stale = true))).deep.equal([rule]);
    });
  });

  it('finds an open task whose performer cannot carry it out', () => {
    const rules = brokenBy(({ world }) => {
      for (const row of [world.users[1]!, world.directory[1]!, world.directory[3]!]) row.role = 'manager';
    });
    expect(rules).deep.equal(['open tasks have performers']);
  });

  it('finds a draft that awaits a performer although one exists', () => {
    const rules = brokenBy(({ world }) => void (world.tasks[0]!.awaiting_performer = true));
    expect(rules).deep.equal(['open tasks have performers']);
  });

  it('finds rows left in an outbox, messages left in a queue, and unfinished work', () => {
    const rule = ['no work is left over'];
    expect(brokenBy(({ world }) => void (world.outbox['auth'] = 1))).deep.equal(rule);
    expect(brokenBy(({ world }) => void (world.queues[0]!.messages = 1))).deep.equal(rule);
    expect(brokenBy(({ unfinished }) => void unfinished.push('tasks: 1 messages to try again'))).deep.equal(rule);
  });

  describe('on dead letters', () => {
    const dead = { service: 'tasks', message_id: 'poison', type: 'auth.user.changed', reason: 'not_json', error: '' };
    const poison = { kind: 'poison', to: 'tasks', form: 'not_json', messageId: 'poison' } as const;

    it('finds a dead letter that was not injected', () => {
      expect(brokenBy(({ world }) => void world.deadLetters.push(dead))).deep.equal([
        'only injected messages become dead letters',
      ]);
    });

    it('accepts a dead letter that was injected', () => {
      const rules = brokenBy(({ injections, world }) => {
        injections.push(poison);
        world.deadLetters.push(dead);
      });
      expect(rules).deep.equal([]);
    });

    it('finds injected poison that vanished', () => {
      expect(brokenBy(({ injections }) => void injections.push(poison))).deep.equal(['every event is consumed']);
    });

    it('finds a dead letter without an id that was not injected', () => {
      const rules = brokenBy(({ world }) => {
        world.deadLetters.push({ ...dead, message_id: null, reason: 'bad_message_id' });
      });
      expect(rules).deep.equal(['only injected messages become dead letters']);
    });
  });

  it('finds a deleted user whose token still works', () => {
    const rules = brokenBy(({ world }) => {
      world.deletedAccess.push({ userId: ann, path: '/api/v1/tasks', status: 200 });
    });
    expect(rules).deep.equal(['deleted users have no access']);
  });

  it('finds lists that do not show what is stored', () => {
    const rule = ['the API shows the stored state'];
    expect(brokenBy(({ world }) => void (world.listedTasks = []))).deep.equal(rule);
    expect(brokenBy(({ world }) => void world.listedTasks.push(world.listedTasks[0]!))).deep.equal(rule);
    expect(brokenBy(({ world }) => void (world.listedNotifications[0]!.ids = [task]))).deep.equal(rule);
  });
});
