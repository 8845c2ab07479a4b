import { check } from '../check/check.ts';
import type { Rule } from '../check/violation.ts';
import type { ActivityRow, Evidence, Operation, RecordedEvent } from '../evidence.ts';

/** The users and the task of a run without faults: Mia creates a task for Ann, who starts it. */
export const mia = 'user-mia';
export const ann = 'user-ann';
export const task = 'task-1';

const second = (n: number, micros = 0) =>
  `2026-11-20T10:00:${String(n).padStart(2, '0')}.${String(micros).padStart(6, '0')}Z`;

export const ids = {
  miaCreated: 'message-mia-created',
  annCreated: 'message-ann-created',
  created: 'message-created',
  changed: 'message-changed',
  assigned: 'message-assigned',
  started: 'message-started',
};

/** Returns a new complete history of a few requests, which the caller may modify. */
export function smallRun(): Evidence {
  const users = [
    {
      id: mia,
      email: 'mia@chaos.test',
      name: 'Mia',
      role: 'manager',
      version: 1,
      updated_at: second(0),
      is_deleted: false,
      tokens_valid_after: null,
    },
    {
      id: ann,
      email: 'u1@chaos.test',
      name: 'Ann',
      role: 'member',
      version: 1,
      updated_at: second(1),
      is_deleted: false,
      tokens_valid_after: null,
    },
  ];
  const started = {
    id: task,
    title: 't1',
    state: 'in_progress',
    creator_id: mia,
    assignee_id: ann,
    version: 2,
    updated_at: second(3),
  };
  const assigned = { ...started, state: 'assigned', version: 1, updated_at: second(2) };
  const events = [
    event(ids.miaCreated, 'auth.user.created', mia, second(0)),
    event(ids.annCreated, 'auth.user.created', ann, second(1)),
    event(ids.created, 'tasks.task.created', task, second(2), mia),
    event(ids.changed, 'tasks.task.changed', task, second(2, 1), mia),
    event(ids.assigned, 'tasks.task.assigned', task, second(2, 2), mia, ann),
    event(ids.started, 'tasks.task.started', task, second(3), ann, ann),
  ];
  const taskEvents = events.filter(({ type }) => type.startsWith('tasks.'));
  return {
    faults: 'injected',
    trafficBegan: Date.parse('2026-11-20T10:00:00Z'),
    operations: [
      operation(1, { intent: { kind: 'register', user: 'u1' }, answer: { id: ann } }),
      operation(2, {
        ...{ intent: { kind: 'create_task', actor: 'mia', task: 't1', to: 'u1' }, actorId: mia },
        answer: assigned,
      }),
      operation(3, {
        ...{
          intent: { kind: 'transition', actor: 'u1', task: 't1', state: 'in_progress' },
          actorId: ann,
          subjectId: task,
        },
        answer: started,
      }),
      operation(4, {
        ...{ intent: { kind: 'read_task', actor: 'mia', task: 't1' }, actorId: mia, subjectId: task },
        answer: started,
      }),
    ],
    events,
    jobActs: [],
    scheduleActs: [],
    injections: [],
    takeovers: [{ service: 'tasks', work: 'relay', killed: 'second tasks', ms: 800 }],
    crashes: [],
    mails: [{ id: 'notification-assigned', to: 'u1@chaos.test' }],
    unfinished: [],
    world: {
      deadLetters: [],
      deletedAccess: [],
      ...{ comments: [], positions: [], blockers: [], members: [] },
      ...{ reminders: [], schedules: [], occurrences: [], jobs: [], jobAttempts: [], jobAudit: [] },
      users,
      links: [],
      tasks: [
        {
          ...started,
          created_at: second(2),
          due_at: null,
          project_id: null,
          is_deleted: false,
          awaiting_performer: false,
          parent_id: null,
          deletion_id: null,
        },
      ],
      activity: [
        entry(1, 'created', mia, second(2)),
        { ...entry(2, 'assigned', mia, second(2)), field: 'assignee_id', to: ann },
        { ...entry(3, 'started', ann, second(3)), field: 'state', from: 'assigned', to: 'in_progress' },
      ],
      directory: (['tasks', 'notifications'] as const).flatMap((service) =>
        users.map(({ id, email, name, role, version }) => {
          return { service, id, email, name, role, version, is_deleted: false, is_stale: false };
        }),
      ),
      inbox: [
        ...(['tasks', 'notifications'] as const).flatMap((service) =>
          [ids.miaCreated, ids.annCreated].map((id) => {
            return { service, message_id: id, handler: 'directory', received_at: second(2) };
          }),
        ),
        ...taskEvents.map(({ messageId }, index) => {
          return {
            service: 'notifications' as const,
            message_id: messageId,
            handler: 'notify',
            received_at: second(4, index),
          };
        }),
      ],
      outbox: { auth: 0, tasks: 0 },
      notifications: [
        notification('welcome-mia', ids.miaCreated, mia, 'user.welcome', null, second(1)),
        notification('notification-welcome', ids.annCreated, ann, 'user.welcome', null, second(2)),
        notification('notification-assigned', ids.assigned, ann, 'task.assigned', task, second(4, 2)),
        notification('notification-started', ids.started, mia, 'task.started', task, second(4, 3)),
      ],
      deliveries: [
        {
          ...{ notification_id: 'notification-assigned', user_id: ann, channel: 'email' },
          ...{ state: 'sent', unknown_outcomes: 0, last_error: null },
        },
      ],
      queues: [{ name: 'tasks.events', messages: 0 }],
      journeys: [],
      listedTasks: [started],
      listedNotifications: [{ userId: mia, ids: ['welcome-mia', 'notification-started'] }],
    },
  };
}

function operation(n: number, given: Partial<Operation> & Pick<Operation, 'intent'>): Operation {
  const attempts = [{ began: n * 100, ended: n * 100 + 10, status: 200 }];
  return { n, at: n * 100, actorId: null, subjectId: null, attempts, outcome: 'acknowledged', replays: [], ...given };
}

function event(
  messageId: string,
  type: string,
  aggregateId: string,
  timestamp: string,
  actor: string | null = null,
  named: string | null = null,
): RecordedEvent {
  return { messageId, type, aggregateId, timestamp, actor, named };
}

function entry(seq: number, action: string, actor: string, at: string): ActivityRow {
  return {
    task_id: task,
    seq,
    action,
    actor_id: actor,
    field: null,
    from: null,
    to: null,
    reason: null,
    created_at: at,
  };
}

function notification(id: string, eventId: string, userId: string, type: string, taskId: string | null, at: string) {
  return { id, event_id: eventId, user_id: userId, type, task_id: taskId, created_at: at, is_in_app: true };
}

/** Returns the rules that a run breaks after this change. */
export function brokenBy(change: (run: Evidence) => void): Rule[] {
  const run = smallRun();
  change(run);
  return [...new Set(check(run).map(({ rule }) => rule))];
}
