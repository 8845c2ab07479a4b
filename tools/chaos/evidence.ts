import type { ServiceName } from '../../infra/local/secrets.ts';
import type { ReplicaName } from './suite/further-replicas.ts';
import type {
  AttemptRow,
  JobAct,
  JobAuditRow,
  JobRow,
  OccurrenceRow,
  ReminderRow,
  ScheduleAct,
  ScheduleRow,
} from './job-evidence.ts';
import type { JourneyOfTask } from './journey-evidence.ts';
import type { CopiedTask, MemberCopy, MemberRow } from './project-evidence.ts';
import type { Step } from './mixed/plan.ts';
import type { Intent } from './workload/intent.ts';
import type { Consumer, Fault, PoisonForm } from './schedule.ts';

export type { CopiedTask, JourneyOfTask, MemberCopy };

/**
 * All records of a run, which are the checker's only input. Times `at`, `began` and `ended` are milliseconds since the start of the traffic; every
 * other time is ISO 8601 with microseconds, from a database.
 */
export type Evidence = {
  /** If no faults are injected, every request must be served, with at most one retry. */
  faults: 'injected' | 'none';
  /** When the traffic began, in milliseconds since 1970, by the clock of this machine, which no fault changes. */
  trafficBegan: number;
  operations: Operation[];
  jobActs: JobAct[];
  scheduleActs: ScheduleAct[];
  events: RecordedEvent[];
  injections: Injection[];
  takeovers: Takeover[];
  crashes: Crash[];
  mails: Mail[];
  /** The unfinished work; empty if the suite became quiescent. */
  unfinished: string[];
  world: World;
};

/** One attempt of a request. `status` is null if no response arrived. */
export type Attempt = { began: number; ended: number; status: number | null; problem?: string; error?: string };

/** `unknown`: the change may or may not have happened, or may still happen later. */
export type OperationOutcome = 'acknowledged' | 'refused' | 'unknown';

/** A request of the workload with all its attempts (under one Idempotency-Key), and its outcome. */
export type Operation = {
  n: number;
  at: number;
  intent: Intent;
  /** The requesting user; null for register and login. */
  actorId: string | null;
  /** The id of the task or user concerned, if it already existed. */
  subjectId: string | null;
  attempts: Attempt[];
  outcome: OperationOutcome;
  /** The body of the response that acknowledged the request. */
  answer?: Answer;
  /** Bodies of later responses to the same request with the same key. */
  replays: Answer[];
};

/** The fields of responses that the checker reads; absent if the response lacks the field. */
export type Answer = Partial<
  TaskAnswer &
    UserAnswer & { body: string; position: string; statuses: number[] } & {
      open: number;
      reassigned: number;
      ids: string[];
      /** The versions of the tasks of a list, in the order of `ids`. */
      versions: number[];
      next_cursor: string | null;
      entryTimes: string[];
    }
>;

type TaskAnswer = {
  id: string;
  title: string;
  state: string;
  creator_id: string;
  assignee_id: string | null;
  /** Both are absent in histories of earlier versions. */
  project_id?: string | null;
  created_at?: string;
  version: number;
  updated_at: string;
};
type UserAnswer = { email: string; name: string; role: string };

/** A message as received by the operator's own queue. The same message may arrive more than once. */
export type RecordedEvent = {
  /** When it arrived in the queue, in milliseconds since the start of the traffic. */
  at?: number;
  messageId: string;
  type: string;
  aggregateId: string;
  timestamp: string;
  /** Null for the system, and for events of users. */
  actor: string | null;
  /** `assigned_to`, `unassigned_from` or `user_id`. */
  named: string | null;
  /** The task of a comment. */
  task?: string;
  /** The users whom a comment mentions, and did not mention before. */
  mentioned?: string[];
  /** The due date of a reminder, or the nominal instant of a skipped occurrence. */
  instant?: string;
  /** Why an occurrence was skipped. */
  reason?: string;
};

/** A message that the operator put into a queue. */
export type Injection =
  | { kind: 'duplicate' | 'reorder'; to: Consumer; messageIds: string[] }
  | { kind: 'poison'; to: Consumer; form: PoisonForm; messageId: string };

/** A takeover after a kill, with the milliseconds until another process resumed the work of the killed one. */
export type Takeover = {
  service: ServiceName;
  work: 'relay' | 'consumer';
  killed: ServiceName | ReplicaName;
  ms: number;
};

/** A process of a service that ended without being killed, with its last logged errors. It was restarted. */
export type Crash = { process: string; how: string; errors: string[] };

/** `id` is the Message-ID without brackets and domain. */
export type Mail = { id: string; to: string };

/** The final state, read from outside the services: databases, broker, public REST API. */
export type World = {
  users: UserRow[];
  links: LinkRow[];
  tasks: TaskRow[];
  /** The members of projects. */
  members: MemberRow[];
  activity: ActivityRow[];
  comments: CommentRow[];
  positions: PositionRow[];
  blockers: BlockerRow[];
  reminders: ReminderRow[];
  schedules: ScheduleRow[];
  occurrences: OccurrenceRow[];
  jobs: JobRow[];
  jobAttempts: AttemptRow[];
  jobAudit: JobAuditRow[];
  directory: DirectoryRow[];
  inbox: InboxRow[];
  deadLetters: DeadLetterRow[];
  /** The number of rows left in the outbox of each service. */
  outbox: Record<string, number>;
  notifications: NotificationRow[];
  deliveries: DeliveryRow[];
  queues: { name: string; messages: number }[];
  /** The journeys of random tasks, as the public API shows them. */
  journeys: JourneyOfTask[];
  /** The tasks of a copy that only reads the sync feed. Absent in histories of earlier versions, and for releases without the feed. */
  copiedTasks?: CopiedTask[];
  /** The copy of the member who is never deleted or promoted. Absent in the same cases. */
  memberCopy?: MemberCopy;
  /** All tasks listed by GET /api/v1/tasks. */
  listedTasks: TaskAnswer[];
  /** The notifications listed by GET /api/v1/notifications for a user. */
  listedNotifications: { userId: string; ids: string[] }[];
  /** A service's response to a deleted user's token. */
  deletedAccess: { userId: string; path: string; status: number }[];
};

export type UserRow = UserAnswer & {
  id: string;
  version: number;
  updated_at: string;
  is_deleted: boolean;
  tokens_valid_after: string | null;
};

/** A link that Auth requests to be mailed. */
export type LinkRow = {
  id: string;
  user_id: string;
  purpose: 'verify_email' | 'reset_password';
  created_at: string;
  is_void: boolean;
};

export type TaskRow = TaskAnswer & {
  project_id: string | null;
  created_at: string;
  due_at: string | null;
  is_deleted: boolean;
  awaiting_performer: boolean;
  parent_id: string | null;
  /** The task whose deletion deleted this one. */
  deletion_id: string | null;
};

/** A dependency: the task waits for the blocker. */
export type BlockerRow = { task_id: string; blocker_id: string };

export type ActivityRow = {
  task_id: string;
  seq: number;
  action: string;
  actor_id: string | null;
  field: string | null;
  from: unknown;
  to: unknown;
  reason: string | null;
  created_at: string;
};

export type CommentRow = {
  id: string;
  task_id: string;
  author_id: string;
  body: string;
  version: number;
  created_at: string;
  updated_at: string;
};

/** The position of a task in a view in manual order. */
export type PositionRow = { view_id: string; task_id: string; key: string };

export type DirectoryRow = {
  service: Consumer;
  id: string;
  email: string | null;
  name: string | null;
  role: string | null;
  version: number;
  is_deleted: boolean;
  is_stale: boolean;
};

/** A message received by a service for one of its handlers. */
export type InboxRow = { service: Consumer; message_id: string; handler: string; received_at: string };

export type DeadLetterRow = {
  service: string;
  message_id: string | null;
  type: string | null;
  reason: string;
  error: string;
};

export type NotificationRow = {
  id: string;
  event_id: string;
  user_id: string;
  type: string;
  task_id: string | null;
  created_at: string;
  /** Whether the notification is shown in the app and not only mailed. */
  is_in_app: boolean;
};

export type DeliveryRow = {
  notification_id: string;
  user_id: string;
  channel: string;
  state: string;
  unknown_outcomes: number;
  last_error: string | null;
};

/** One line of the history file. */
export type Line =
  | {
      line: 'run';
      seed: string;
      minutes: number;
      replicas: 1 | 2;
      /** Absent in histories of earlier versions. */
      traffic?: 'all' | 'tasks';
      /** The names of deliberate bugs, with commas. */
      bug: string | null;
      startedAt: string;
    }
  | { line: 'mixed'; seed: string; from: string; to: string; planted: string | null; startedAt: string }
  | { line: 'step'; began: number; ended: number; step: Step }
  | { line: 'traffic'; began: number }
  | { line: 'plan'; at: number; fault: Fault }
  | { line: 'fault'; began: number; ended: number; fault: Fault; note?: string; failed?: true }
  | { line: 'recovery'; fault: Fault; ms: number }
  | { line: 'operation'; operation: Operation }
  | { line: 'job'; act: JobAct }
  | { line: 'schedule'; act: ScheduleAct }
  | { line: 'event'; at: number; event: RecordedEvent }
  | { line: 'injection'; at: number; injection: Injection }
  | { line: 'takeover'; at: number; takeover: Takeover }
  | { line: 'crash'; at: number; crash: Crash }
  | { line: 'mail'; mail: Mail }
  | { line: 'quiescent'; tookMs: number; unfinished: string[] }
  | { line: 'world'; world: World };
