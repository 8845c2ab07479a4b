import type { Component } from '@taskwire/lifecycle';
import { createRelay, createNotifier } from '@taskwire/outbox';
import { createRabbit, publishOnlyTopology } from '@taskwire/rabbit';
import { openService } from '@taskwire/service';
import type { Telemetry } from '@taskwire/telemetry';
import type { Passwords } from './app/ports/passwords.ts';
import type { Env } from './env.ts';
import { entities } from './postgres/entities.ts';
import { accessRoutes } from './http/access-routes.ts';
import { accountRoutes } from './http/account-routes.ts';
import { auditRefusals } from './http/refusals.ts';
import { routes } from './http/routes.ts';
import { migrations } from './migrations.ts';
import { readWordLists } from './passwords/strength.ts';
import { createStoredClients } from './postgres/client-rows.ts';
import { wireAccount } from './wire/account.ts';
import { wireAccountLoops } from './wire/account-loops.ts';
import { clientDirectory, wireAccess } from './wire/clients.ts';
import { wireAuthenticator } from './wire/authenticator.ts';
import { wireKeys } from './wire/signing-keys.ts';
import { wireLimits, wirePasswords } from './wire/limits.ts';
import { wireLoops } from './wire/loops.ts';
import { wireOidc } from './wire/oidc.ts';
import { wireRegistration } from './wire/registration.ts';
import { wireStorage } from './wire/storage.ts';
import { wireIdentity, wireUseCases } from './wire/use-cases.ts';

/** Wires Auth; nothing runs until its components are started. `overrides` are for tests. */
export async function wire(env: Env, overrides: { telemetry?: Telemetry; passwords?: Passwords } = {}) {
  const service = await openService({
    ...{ name: 'auth', env, migrations, entities, telemetry: overrides.telemetry },
    // a restored Auth grants rights that were revoked after the restored time
    waitsForRecovery: true,
  });
  const { telemetry, db, database, partitions, working, serving } = service;
  const { logger, metrics } = telemetry;
  const sender = { service: 'auth', logins: env.EVENT_LOGINS } as const;
  const rabbit = createRabbit({ url: env.AMQP_URL, name: 'auth', telemetry, topology: publishOnlyTopology, sender });
  const relay = createRelay({
    ...{ databaseUrl: db.url, publisher: rabbit.publisher(), telemetry, appId: 'auth' },
    ...{ partitions: partitions.partitions, permission: partitions.relaying },
  });

  const storage = wireStorage(env, db);
  const { keys, rotation } = wireKeys(env, db, metrics);
  const passwords = overrides.passwords ?? wirePasswords(env, metrics);
  const base = { ...storage, ...wireLimits(env, db.pool, metrics), passwords, keys, logger };
  const identity = wireIdentity(env, base);
  const clients = clientDirectory(env.OIDC_CLIENTS, createStoredClients(db));
  const oidc = wireOidc(env, { ...base, ...identity, clients });
  const registration = wireRegistration(env, base);
  const account = wireAccount(env, { ...base, ...identity, registration, providers: oidc.providers });
  const useCases = wireUseCases({ ...base, ...identity, registration, clients });
  const loops = wireLoops(env, { ...base, rotation, telemetry });

  const outboxNotifier = createNotifier({ db, logger, relay: working([relay])[0] });
  const api = [
    ...routes(useCases, { ...storage, publishedEpoch: () => db.sourceEpoch().published }),
    ...accountRoutes(account.useCases),
    ...accessRoutes(wireAccess(db, clients)),
    ...registration.routes,
  ];
  const http = service.serve({
    routes: api,
    rawRoutes: [...oidc.paths, ...account.pages],
    authenticator: wireAuthenticator(env, keys, storage.sessions),
    onRefusal: auditRefusals(storage.audit),
    broker: rabbit,
    readiness: { signing_key: async () => void (await keys.ring()) },
  });

  const { retention, keySchedule, refusalFlush } = loops;
  const { mailRequests, accountSchedule } = wireAccountLoops(env, base);
  const wordLists: Component = { name: 'word lists', start: async () => readWordLists(), stop: async () => undefined };
  const components: Component[] = [
    ...[database, outboxNotifier],
    ...working([partitions, rabbit, relay, retention, keySchedule, mailRequests, accountSchedule]),
    ...serving([refusalFlush, wordLists, clients.check(logger)]),
    // started last and therefore stopped first, so that no request arrives while the others stop
    http,
  ];
  return { components, telemetry, http, relay, ...loops, mailRequests, accountSchedule, rotation, db };
}
