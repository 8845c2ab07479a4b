import type { ServiceName } from '../local/secrets.ts';
import type { SecondReplica } from './suite/second-replicas.ts';
import type { Intent } from './workload/intent.ts';
import type { Consumer, Fault, PoisonForm } from './schedule.ts';

/**
 * Everything that a run leaves behind, and all that the checker looks at. Times `at`, `began` and `ended` are milliseconds since the begin of the
 * traffic; every other time is ISO 8601 with microseconds, from a database.
 */
export type Evidence = {
  operations: Operation[];
  events: RecordedEvent[];
  injections: Injection[];
  takeovers: Takeover[];
  crashes: Crash[];
  mails: Mail[];
  /** What would not come to rest; empty when everything did. */
  unsettled: string[];
  world: World;
};

/** One try of a request. `status` null: no answer came. */
export type Attempt = { began: number; ended: number; status: number | null; problem?: string; error?: string };

/** `unknown`: it may have happened or not, or may even happen later. */
export type OperationOutcome = 'acknowledged' | 'refused' | 'unknown';

/** A request of the workload with all its tries (one Idempotency-Key), and how it ended. */
export type Operation = {
  n: number;
  at: number;
  intent: Intent;
  /** The user who asked; null for register and login. */
  actorId: string | null;
  /** Of the task or the user that it is about, where that exists already. */
  subjectId: string | null;
  attempts: Attempt[];
  outcome: OperationOutcome;
  /** The body of the answer that acknowledged it. */
  answer?: Answer;
  /** Bodies of later answers to the same request with the same key. */
  replays: Answer[];
};

/** What the checker reads of answers; absent where the answer has no such field. */
export type Answer = Partial<TaskAnswer & UserAnswer & { open: number; reassigned: number; ids: string[] }>;

type TaskAnswer = {
  id: string;
  title: string;
  state: string;
  creator_id: string;
  assignee_id: string | null;
  version: number;
  updated_at: string;
};
type UserAnswer = { email: string; name: string; role: string };

/** A message as the operator's own queue got it. The same message may come more than once. */
export type RecordedEvent = {
  messageId: string;
  type: string;
  aggregateId: string;
  timestamp: string;
  /** Null for the system, and for events of users. */
  actor: string | null;
  /** `assigned_to`, `unassigned_from` or `user_id`. */
  named: string | null;
};

/** What the operator put into a queue. */
export type Injection =
  | { kind: 'duplicate' | 'reorder'; to: Consumer; messageIds: string[] }
  | { kind: 'poison'; to: Consumer; form: PoisonForm; messageId: string };

/** After a kill of the process that did it, another one did this work of a service so many milliseconds later. */
export type Takeover = {
  service: ServiceName;
  work: 'relay' | 'consumer';
  killed: ServiceName | SecondReplica;
  ms: number;
};

/** A process of a service that ended although nobody killed it, with what it logged as errors at last. It was started again. */
export type Crash = { part: string; how: string; errors: string[] };

/** `id` is the Message-ID without brackets and domain. */
export type Mail = { id: string; to: string };

/** The state at the end, read from outside: databases, broker, public REST. */
export type World = {
  users: UserRow[];
  links: LinkRow[];
  tasks: TaskRow[];
  activity: ActivityRow[];
  directory: DirectoryRow[];
  inbox: InboxRow[];
  deadLetters: DeadLetterRow[];
  /** Rows that are left in the outbox of each service. */
  outbox: Record<string, number>;
  notifications: NotificationRow[];
  deliveries: DeliveryRow[];
  queues: { name: string; messages: number }[];
  /** Everything that GET /api/v1/tasks listed. */
  listedTasks: TaskAnswer[];
  /** What GET /api/v1/notifications listed for a person. */
  listedNotifications: { userId: string; ids: string[] }[];
  /** How a token of a deleted user was answered by a service. */
  deletedAccess: { userId: string; path: string; status: number }[];
};

export type UserRow = UserAnswer & {
  id: string;
  version: number;
  updated_at: string;
  is_deleted: boolean;
  tokens_valid_after: string | null;
};

/** A link that Auth asks to be mailed. */
export type LinkRow = {
  id: string;
  user_id: string;
  purpose: 'verify_email' | 'reset_password';
  created_at: string;
  is_void: boolean;
};

export type TaskRow = TaskAnswer & { created_at: string; is_deleted: boolean; awaiting_performer: boolean };

export type ActivityRow = {
  task_id: string;
  seq: number;
  action: string;
  actor_id: string | null;
  field: string | null;
  from: unknown;
  to: unknown;
  created_at: string;
};

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

/** A message that a service has taken over for one of its handlers. */
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
  /** Not only in a mail. */
  is_in_app: boolean;
};

export type DeliveryRow = {
  notification_id: string;
  user_id: string;
  channel: string;
  state: string;
  /** Attempts whose outcome is unknown. */
  unknowns: number;
  last_error: string | null;
};

/** One line of the history file. */
export type Line =
  | { line: 'run'; seed: string; minutes: number; replicas: 1 | 2; bug: string | null; startedAt: string }
  | { line: 'plan'; at: number; fault: Fault }
  | { line: 'fault'; began: number; ended: number; fault: Fault; note?: string; failed?: true }
  | { line: 'recovery'; fault: Fault; ms: number }
  | { line: 'operation'; operation: Operation }
  | { line: 'event'; at: number; event: RecordedEvent }
  | { line: 'injection'; at: number; injection: Injection }
  | { line: 'takeover'; at: number; takeover: Takeover }
  | { line: 'crash'; at: number; crash: Crash }
  | { line: 'mail'; mail: Mail }
  | { line: 'settled'; tookMs: number; unsettled: string[] }
  | { line: 'world'; world: World };
