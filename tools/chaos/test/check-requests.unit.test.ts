import { expect } from 'chai';
import { check } from '../check/check.ts';
import type { Evidence } from '../evidence.ts';
import { ann, brokenBy, mia, smallRun } from './small-run.ts';

describe('the checker of chaos runs, on requests', () => {
  it('accepts a run in which nothing went wrong', () => {
    expect(check(smallRun())).deep.equal([]);
  });

  describe('on acknowledged changes', () => {
    const rule = 'acknowledged changes persist';

    it('finds a lost task', () => {
      const rules = brokenBy(({ world }) => {
        world.tasks = [];
        world.activity = [];
      });
      expect(rules).include(rule);
    });

    it('finds a transition that is missing from the activity log', () => {
      const rules = brokenBy((run) => {
        run.world.activity.pop();
        run.world.tasks[0]!.version = 1;
        run.world.tasks[0]!.state = 'assigned';
      });
      expect(rules).include(rule);
    });

    it('finds a state that its activity log does not lead to', () => {
      expect(brokenBy(({ world }) => void (world.tasks[0]!.assignee_id = mia))).include(rule);
    });

    it('finds a lost account', () => {
      expect(brokenBy(({ world }) => void world.users.pop())).include(rule);
    });

    it('finds a lost deletion of a user', () => {
      const rules = brokenBy(({ operations }) => {
        operations.push({
          ...operations[2]!,
          n: 9,
          subjectId: ann,
          intent: { kind: 'delete_user', actor: 'admin', user: 'u1' },
        });
      });
      expect(rules).include(rule);
    });

    it('finds two requests whose responses claim the same change', () => {
      const rules = brokenBy(({ operations }) => void operations.push({ ...operations[2]!, n: 9 }));
      expect(rules).include(rule);
    });

    it('finds lost reassignments of tasks', () => {
      const rules = brokenBy(({ operations }) => {
        operations.push({
          ...operations[2]!,
          n: 9,
          intent: { kind: 'shuffle', actor: 'reassigner' },
          answer: { reassigned: 3 },
        });
      });
      expect(rules).include(rule);
    });
  });

  it('finds one creation that made two tasks', () => {
    const rules = brokenBy(({ world }) => void world.tasks.push({ ...world.tasks[0]!, id: 'task-2' }));
    expect(rules).include('nothing happens twice');
  });

  it('accepts a creation without a response, whether or not it was carried out', () => {
    const unanswered = (run: Evidence) => {
      const { answer: _none, ...rest } = run.operations[1]!;
      run.operations[1] = { ...rest, outcome: 'unknown' };
    };
    expect(brokenBy(unanswered)).deep.equal([]);
    const notMade = brokenBy((run) => {
      unanswered(run);
      run.operations.splice(1);
      run.events = run.events.slice(0, 2);
      run.mails = [];
      const { world } = run;
      [world.tasks, world.activity, world.listedTasks, world.deliveries] = [[], [], [], []];
      world.inbox = world.inbox.slice(0, 4);
      world.notifications = world.notifications.slice(0, 2);
      world.listedNotifications = [];
      run.operations = run.operations.slice(0, 1);
    });
    expect(notMade).deep.equal([]);
  });

  it('finds a transition that happened more often than requested', () => {
    const rules = brokenBy(({ world }) => {
      world.activity.push({ ...world.activity[2]!, seq: 4, created_at: '2026-11-20T10:00:05.000000Z' });
      world.tasks[0]!.version = 3;
    });
    expect(rules).include('nothing happens twice');
  });

  it('finds a repeated request whose response differs', () => {
    const rules = brokenBy(
      ({ operations }) => void operations[1]!.replays.push({ ...operations[1]!.answer, id: 'task-2' }),
    );
    expect(rules).include('nothing happens twice');
  });

  it('finds a refused creation that was carried out', () => {
    const rules = brokenBy(({ operations }) => {
      const { answer: _none, ...rest } = operations[1]!;
      operations[1] = { ...rest, outcome: 'refused' };
    });
    expect(rules).include('refused requests have no effect');
  });

  it('finds a read of a state that never existed', () => {
    const rules = brokenBy(
      ({ operations }) => void (operations[3]!.answer = { ...operations[3]!.answer, state: 'completed' }),
    );
    expect(rules).deep.equal(['reads return states that existed']);
  });

  it('finds an old version that was read after a response had returned a newer one', () => {
    const rules = brokenBy(({ operations }) => {
      const [, created, , read] = operations;
      read!.answer = created!.answer!;
    });
    expect(rules).deep.equal(['reads return states that existed']);
  });

  it('accepts a read before the response, when the same request was refused earlier at the other process', () => {
    const rules = brokenBy(({ operations }) => {
      const [, created, started, read] = operations;
      const refused = { began: 300, ended: 305, status: 403 };
      started!.attempts = [{ began: 300, ended: 400, status: 200 }, refused];
      read!.attempts = [{ began: 320, ended: 330, status: 200 }];
      read!.answer = created!.answer!;
    });
    expect(rules).deep.equal([]);
  });
});
