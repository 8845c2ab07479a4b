import { clientFields, consumerFields, databaseEnv, fields, serviceFields } from '@taskwire/env';
import type { z } from 'zod';

export const env = databaseEnv.extend({
  ...serviceFields,
  ...clientFields,
  ...consumerFields,
  PORT: fields.port.default(3002),
  /**
   * A request holds a connection for a few milliseconds, so ten connections suffice for the thousands of requests per
   * second that one process serves.
   */
  DATABASE_POOL_SIZE: fields.integer(2, 200).default(10),
  ISSUER: fields.httpUrl.describe('the issuer of access tokens, such as https://taskwire.example.com/oidc'),
  AUTH_INTERNAL_URL: fields.httpUrl.describe('where Auth serves other services, such as http://127.0.0.1:3001'),
  /**
   * Per user and process, as a burst or spread out. Allows an import of a thousand tasks, but stops an endless loop.
   */
  TASK_CREATIONS_PER_MINUTE: fields.integer(1, 1_000_000).default(1_200),
  /**
   * Per user and process. A shuffle locks and rewrites every open task, which takes seconds with 100,000 open tasks.
   */
  SHUFFLES_PER_MINUTE: fields.integer(1, 1_000_000).default(20),
  /** Per user and process: a person writes no more, and each comment may send 50 mails. */
  COMMENTS_PER_MINUTE: fields.integer(1, 1_000_000).default(60),
  /** How long a deleted task can be restored: time to notice a mistake, as for deleted users (ERASE_DELETED_USERS_DAYS). */
  DELETED_TASK_DAYS: fields.integer(1, 3_650).default(30),
  /** Long enough to read a result after a holiday week; 100 jobs a second are 60 million rows in a week. */
  SETTLED_JOB_DAYS: fields.integer(1, 3_650).default(7),
  /** The period of dead letters (DEAD_LETTER_DAYS), because an operator has to decide. */
  DEAD_JOB_DAYS: fields.integer(1, 3_650).default(90),
  /** Occurrences of schedules. At least a day more than a backfill looks back, so that it sees which have run; a quarter shows the runs of a monthly schedule. */
  OCCURRENCE_DAYS: fields.integer(31, 3_650).default(90),
});

export type Env = z.output<typeof env>;
