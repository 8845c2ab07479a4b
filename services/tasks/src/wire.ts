import { createDeadLetters } from '@taskwire/dead-letters';
import { createLoop } from '@taskwire/lifecycle';
import { createNotifier } from '@taskwire/outbox';
import { authUsers, openService, remoteAuthenticator, serviceClients } from '@taskwire/service';
import type { Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient } from '@taskwire/user-directory';
import { reassignTasks } from './app/reassign-tasks.ts';
import { createUserLimit } from './app/user-limit.ts';
import { createKnownQueues } from './clients/known-queues.ts';
import { createUsers } from './directory/eligibility.ts';
import { changesPerformers } from './domain/performer.ts';
import type { Env } from './env.ts';
import { routes } from './http/routes.ts';
import { migrations } from './migrations.ts';
import { activityReads } from './postgres/activity/reads.ts';
import { bulkResults } from './postgres/bulk-results.ts';
import { commentStore } from './postgres/comments.ts';
import { entities } from './postgres/entities.ts';
import { linkStore } from './postgres/links/store.ts';
import { reassignmentQueries } from './postgres/locks.ts';
import { performerSql } from './postgres/performer-sql.ts';
import { observeAwaitingReassignment } from './postgres/reassignment-gauge.ts';
import { taskRetention } from './postgres/retention.ts';
import { createTaskStore } from './postgres/task-store.ts';
import { wireEvents } from './wire/events.ts';
import { wireReminders } from './wire/reminders.ts';
import { wireJobs } from './wire/jobs.ts';
import { retentionPeriods } from './wire/retention.ts';
import { wireSchedules } from './wire/schedules.ts';
import { createProjectStore } from './postgres/projects/project-store.ts';
import { takingTurns } from './postgres/lists/bounded-reads.ts';
import { positionStore } from './postgres/positions.ts';
import { savedStore, templateTable, viewTable } from './postgres/saved.ts';
import { wireSearch } from './wire/search.ts';
import { wireSync } from './wire/sync.ts';

/** The audience of access tokens for Tasks. */
const audience = 'urn:taskwire:tasks';

/**
 * The longest time for which an orphaned task waits for a new performer when the wake-up was lost because a process
 * died. With 100,000 open tasks the check takes about 40 ms.
 */
const reassignPollMs = 3_000;

/** Composes Tasks. Nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry } = {}) {
  const service = await openService({ name: 'tasks', env, migrations, entities, telemetry: overrides.telemetry });
  const { telemetry, db, database } = service;
  const { logger } = telemetry;
  const policy = { requireVerifiedEmail: env.AUTH_REQUIRE_VERIFIED_EMAIL };
  const turns = takingTurns(env.DATABASE_POOL_SIZE);
  const tasks = createTaskStore(db, policy, turns.lists);

  const reassigner = createLoop({
    name: 'reassigner',
    tick: async () => await reassignTasks({ tasks }),
    intervalMs: reassignPollMs,
    logger,
  });
  const { countAwaitingReassignment } = reassignmentQueries(performerSql(policy));
  observeAwaitingReassignment(async () => await countAwaitingReassignment(db.pool), telemetry);
  const reminders = wireReminders(db, telemetry);
  const search = wireSearch(db, telemetry);
  const { sync, syncing } = wireSync(db, telemetry, turns.sync);
  const { jobs, waiters, claims, promoter, reaper } = wireJobs({ db, tasks, telemetry });
  const retention = taskRetention(db, retentionPeriods(env), telemetry);

  const { clients, component: openClients } = serviceClients(env, telemetry, { auth: authUsers(env) });
  const directory = createUserDirectory({
    ...{ db, users: createUsersClient(clients.auth), telemetry, ...policy },
    async onApplied(tx, change) {
      if (changesPerformers(change, policy)) tx.afterCommit(reassigner.wake);
    },
  });
  const { rabbit, relay, inbox } = wireEvents(env, {
    ...{ db, telemetry, partitions: service.partitions, handlers: directory.handlers },
  });
  const outboxNotifier = createNotifier({ db, logger, relay: service.working([relay])[0] });

  const projects = createProjectStore(db.pool);
  const { ports: schedules, rules, scheduler } = wireSchedules({ db, tasks, jobs, projects, policy, telemetry });
  const http = service.serve({
    routes: routes({
      ...{ tasks, users: createUsers(directory, policy), deadLetters: createDeadLetters({ db }), jobs, waiters },
      knownQueues: createKnownQueues(clients.auth),
      links: linkStore,
      ...{ schedules, sync },
      publishedEpoch: () => db.sourceEpoch().published,
      bulk: bulkResults(db.pool),
      sourceEpoch: () => db.sourceEpoch().epoch,
      activity: activityReads(db, turns.activity),
      comments: commentStore(db.pool),
      views: savedStore(db.pool, viewTable),
      positions: positionStore(turns.lists),
      templates: savedStore(db.pool, templateTable),
      projects,
      wakeReassigner: reassigner.wake,
      commenting: createUserLimit({ what: 'comment', perMinute: env.COMMENTS_PER_MINUTE }),
      creations: createUserLimit({ what: 'create tasks', perMinute: env.TASK_CREATIONS_PER_MINUTE }),
      shuffles: createUserLimit({ what: 'shuffle', perMinute: env.SHUFFLES_PER_MINUTE }),
    }),
    authenticator: remoteAuthenticator(env, { audience, telemetry, checkUser: directory.checkUser }),
    broker: rabbit,
  });
  const { refresher, reconciler } = directory;
  const workers = [
    service.partitions,
    rabbit,
    relay,
    inbox,
    refresher,
    reconciler,
    reassigner,
    reminders,
    promoter,
    reaper,
    scheduler,
    search,
    retention,
  ];
  // HTTP starts after everything that it needs, so it stops first: no request arrives while the other components stop
  const components = [
    database,
    openClients,
    outboxNotifier,
    rules,
    ...service.working(workers),
    http,
    ...service.serving([claims, syncing]),
  ];
  return {
    components,
    telemetry,
    http,
    relay,
    inbox,
    directory,
    reassigner,
    reminders,
    promoter,
    reaper,
    scheduler,
    schedules,
    search,
    retention,
    jobs,
    waiters,
    sync,
    db,
  };
}
