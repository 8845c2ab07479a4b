/**
 * Every problem that a Taskwire service can respond with: its stable `code` for programs, the HTTP status, and the title for people. The meaning of a
 * code never changes; codes are only added.
 *
 * Statuses follow RFC 9110 and RFC 6585: https://www.rfc-editor.org/rfc/rfc9110 https://www.rfc-editor.org/rfc/rfc6585
 */
export const problemTypes = {
  // the request cannot be read
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  bad_request: { status: 400, title: 'The request is malformed' },
  bad_cursor: { status: 400, title: 'Invalid cursor' },
  bad_idempotency_key: { status: 400, title: 'Invalid Idempotency-Key' },
  bad_etag: { status: 400, title: 'Invalid entity tag in If-Match' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  uri_too_long: { status: 414, title: 'The URI is too long' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  headers_too_large: { status: 431, title: 'The request headers are too large' },
  invalid_input: { status: 422, title: 'Validation failed' },

  weak_password: { status: 422, title: 'The password is too easy to guess' },

  // authentication, authorization and rate limits
  unauthenticated: { status: 401, title: 'Authentication required' },
  invalid_token: { status: 401, title: 'The access token is not valid' },
  token_expired: { status: 401, title: 'The access token has expired' },
  access_revoked: { status: 401, title: 'Access has been revoked' },
  invalid_credentials: { status: 401, title: 'Incorrect e-mail address or password' },
  invalid_refresh_token: { status: 401, title: 'The refresh token is not valid' },
  invalid_client: { status: 401, title: 'Client authentication failed' },
  invalid_grant: { status: 400, title: 'The grant is not valid' },
  forbidden: { status: 403, title: "You don't have permission to do this" },
  email_not_verified: { status: 403, title: 'The e-mail address must be verified first' },
  registration_closed: { status: 403, title: 'Registration is closed' },
  email_domain_not_accepted: { status: 403, title: 'Registration is not open to this e-mail domain' },
  invitation_required: { status: 403, title: 'Registration requires an invitation' },
  insufficient_scope: { status: 403, title: 'The token lacks a required scope' },
  reauthentication_required: { status: 403, title: 'Recent authentication required' },
  rate_limited: { status: 429, title: 'Too many requests' },

  // the requested resource
  not_found: { status: 404, title: 'Resource not found' },
  method_not_allowed: { status: 405, title: 'The resource does not support this method' },
  gone: { status: 410, title: 'The resource has been deleted' },
  sync_token_expired: { status: 410, title: 'The token can no longer be continued' },
  conflict: { status: 409, title: 'The request conflicts with the state of the resource' },
  email_taken: { status: 409, title: 'An account with this e-mail address already exists' },
  already_invited: { status: 409, title: 'This e-mail address has an open invitation' },
  last_admin: { status: 409, title: 'The last admin cannot be removed' },
  idempotency_in_progress: { status: 409, title: 'The first request with this Idempotency-Key is still running' },
  precondition_failed: { status: 412, title: 'The resource has changed since it was read' },
  precondition_required: { status: 428, title: 'If-Match is required' },

  // rules of accounts
  wrong_password: { status: 422, title: 'The current password is incorrect' },
  current_password_required: { status: 422, title: 'The current password is required' },
  new_password_required: { status: 422, title: 'A new password is required' },
  invitation_mismatch: { status: 422, title: 'The invitation is for another e-mail address' },
  link_not_valid: { status: 422, title: 'This link is invalid or has expired' },

  // rules of tasks
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was already used for a different request' },
  illegal_transition: { status: 422, title: "Transition not allowed from the task's current state" },
  unknown_assignee: { status: 422, title: 'The assignee does not exist' },
  ineligible_assignee: { status: 422, title: 'This user cannot be assigned tasks' },
  unknown_member: { status: 422, title: 'The new member does not exist' },
  too_many_members: { status: 422, title: 'The project has too many members' },
  last_lead: { status: 422, title: 'The project would have no lead' },
  unknown_project: { status: 422, title: 'The project does not exist' },
  project_archived: { status: 422, title: 'The project is archived' },
  too_many_views: { status: 422, title: 'The user has too many views' },
  view_too_large: { status: 422, title: 'The view shows too many tasks for manual order' },
  too_many_templates: { status: 422, title: 'The user has too many templates' },
  no_performers: { status: 422, title: 'No eligible performer' },
  unknown_parent: { status: 422, title: 'The parent task does not exist' },
  other_project: { status: 422, title: 'The tasks are in different projects' },
  task_cycle: { status: 422, title: 'A task cannot be a part of itself' },
  dependency_cycle: { status: 422, title: 'The tasks would wait for each other' },
  too_many_links: { status: 422, title: 'The task has too many sub-tasks or dependencies' },
  open_subtasks: { status: 422, title: 'The task has open sub-tasks' },
  task_blocked: { status: 422, title: 'The task is blocked' },
  subtree_too_large: { status: 422, title: 'The task has too many sub-tasks for one request' },
  unknown_mention: { status: 422, title: 'A mentioned user does not exist' },
  bulk_aborted: { status: 422, title: 'An operation failed, so nothing was done' },
  dependency_failed: { status: 424, title: 'The task of this operation was not created' },
  search_too_broad: { status: 422, title: 'The search has no word to search for' },

  // rules of jobs
  lease_lost: { status: 409, title: 'The lease of the job has ended' },
  unknown_queue: { status: 422, title: 'No registered client has the queue' },
  job_exists: { status: 409, title: 'Another job has this unique key' },

  // rules of schedules
  schedule_never_runs: { status: 422, title: 'The schedule would never run' },
  schedule_too_complex: { status: 422, title: 'The schedule takes too long to evaluate' },
  too_many_schedules: { status: 422, title: 'The user has too many schedules' },
  use_every_or_cron: { status: 422, title: 'A recurrence rule runs at most once a day for each time of day' },

  // server-side faults; no internal details are shown
  internal: { status: 500, title: 'Something went wrong' },
  bad_gateway: { status: 502, title: 'Bad response from an upstream service' },
  search_busy: { status: 503, title: 'The search takes too long at the moment' },
  unavailable: { status: 503, title: 'Service temporarily unavailable' },
  timeout: { status: 504, title: 'The service did not respond in time' },
} as const satisfies Record<string, { status: number; title: string }>;

/** The stable, public codes of problems, as one union. */
export type ProblemCode = keyof typeof problemTypes;
