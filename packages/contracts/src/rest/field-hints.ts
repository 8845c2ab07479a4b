import type { Route } from './route.ts';

type FieldHints = NonNullable<Route['fieldHints']>;

const exampleId = '019a9d5e-71aa-7b3c-8d4e-5f6a7b8c9d0e';

/** Fields set by the server, which callers send back after reading them. */
const setByServer: FieldHints = Object.fromEntries(
  ['id', 'creator', 'creator_id', 'created_at', 'updated_at'].map((field) => [field, 'is set by the server; leave it out']),
);
const versionHint: FieldHints = {
  version: 'is sent in the header If-Match and not in the body: the ETag that you read, or * for any version',
};

const transition = 'POST /api/v1/tasks/{id}/transition, for example {"state": "in_progress"}';
const assign = `POST /api/v1/tasks/{id}/assign, for example {"assignee_id": "${exampleId}"} or {"assign": "random"}`;

const changedByTransition: FieldHints = {
  state: `is changed with ${transition}`,
  status: `is called state, and is changed with ${transition}`,
};
const changedByAssign: FieldHints = {
  assignee_id: `is changed with ${assign}`,
  assignee: `is changed with ${assign}`,
  assign: `is a field of ${assign}`,
};

/** Fields of a task that its update does not accept. */
export const changedTaskHints: FieldHints = { ...setByServer, ...versionHint, ...changedByTransition, ...changedByAssign };

/** Fields of a task that a new task does not accept. */
export const newTaskHints: FieldHints = {
  ...setByServer,
  version: 'is set by the server; leave it out',
  state: `is draft, or assigned if assignee_id or "assign": "random" is sent; later it ${changedByTransition['state']}`,
  status: `is called state; it is draft, or assigned if assignee_id is sent, and later ${changedByTransition['state']}`,
  assignee: `is sent as assignee_id, for example {"assignee_id": "${exampleId}"}`,
};

/** Fields of a schedule that a new schedule does not accept. */
export const newScheduleHints: FieldHints = {
  ...setByServer,
  version: 'is set by the server; leave it out',
  next_at: 'is set by the server; leave it out',
  cron: 'is sent as kind and expression, for example {"kind": "cron", "expression": "0 9 * * *"}',
  rrule: 'is sent as kind and expression, for example {"kind": "rrule", "expression": "FREQ=DAILY;BYHOUR=9;BYMINUTE=0"}',
  timezone: 'is called time_zone, for example Europe/Berlin',
};

/** Fields of a schedule that its update does not accept. */
export const changedScheduleHints: FieldHints = {
  ...newScheduleHints,
  ...versionHint,
  paused: 'is changed with POST /api/v1/schedules/{id}/pause or /resume',
};

/** Fields of a task that an assignment does not accept. */
export const assignmentHints: FieldHints = {
  assign: 'is sent without assignee_id: {"assign": "random"} chooses a performer',
  ...versionHint,
  ...changedByTransition,
  assignee: `is sent as assignee_id, for example {"assignee_id": "${exampleId}"}`,
  user_id: `is sent as assignee_id, for example {"assignee_id": "${exampleId}"}`,
};

/** Fields of a project that callers do not set. */
export const projectHints: FieldHints = {
  ...setByServer,
  ...versionHint,
  title: 'is called name',
  archived_at: 'is changed with PATCH /api/v1/projects/{id}, for example {"archived": true}',
  members: 'are set with PUT /api/v1/projects/{id}/members/{user_id}, for example {"role": "contributor"}',
};

/** Fields of a comment that callers do not set. */
export const commentHints: FieldHints = {
  ...setByServer,
  ...versionHint,
  text: 'is called body',
  mentions: 'follow from the body: mention a user with <@ and > around the id',
};

/** Fields of a task that a transition does not accept. */
export const transitionHints: FieldHints = {
  ...versionHint,
  ...changedByAssign,
  status: 'is called state, for example {"state": "in_progress"}',
};

/** Names of task fields that callers use as list filters, where the filter has another name. */
export const taskFilterHints: FieldHints = {
  assignee_id: 'is called assignee in a list, for example ?assignee=me',
  creator_id: `is called creator in a list, for example ?creator=${exampleId}`,
  project_id: `is called project in a list, for example ?project=${exampleId}`,
  parent_id: `is called parent in a list, for example ?parent=${exampleId}`,
  status: 'is called state, for example ?state=assigned',
  labels: 'is called label in a list, for example ?label=home; label_all needs all of several',
  due_at: 'is called due_before and due_after in a list, for example ?due_before=2026-12-01T00:00:00Z',
  order: 'is called sort, for example ?sort=due_at or ?sort=-updated_at',
  page: 'is not supported: send the next_cursor of the previous page as cursor',
  offset: 'is not supported: send the next_cursor of the previous page as cursor',
};

const passwordRoute =
  'POST /api/v1/auth/change_password, for example {"current_password": "the current one", "new_password": "another one"}';

/** Fields of a user that an update does not accept. */
export const changedUserHints: FieldHints = {
  ...setByServer,
  ...versionHint,
  password: `is changed with ${passwordRoute}`,
  new_password: `is a field of ${passwordRoute}`,
  email_verified:
    'is changed by the link that is mailed to the address; POST /api/v1/auth/verify_email/request mails another, for example {"email": "ann@example.org"}',
  pending_email: 'is changed through email, for example {"email": "ann@example.org", "current_password": "the current one"}',
};
