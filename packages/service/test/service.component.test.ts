import { expect } from 'chai';
import { observabilityEnv } from '@taskwire/env';
import { problem } from '@taskwire/errors';
import { query } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent, testDatabase, type TestDatabase } from '@taskwire/testing';
import { openService } from '../src/index.ts';

describe('a service', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase([]);
  });
  after(async () => await database.drop());

  const open = async (role: 'all' | 'api' | 'worker', options: { waitsForRecovery?: true } = {}) =>
    await openService({
      ...options,
      name: 'test',
      env: {
        DATABASE_URL: database.url,
        DATABASE_POOL_SIZE: 2,
        DRAIN_MS: 0,
        EVENT_PARTITIONS: 1,
        EVENT_PARTITIONS_SERVED: undefined,
        HOST: '127.0.0.1',
        PORT: 0,
        LOG_LEVEL: 'error',
        PROCESS_ROLE: role,
        TRUSTED_PROXIES: ['loopback'],
        ...observabilityEnv.parse({}),
      },
      migrations: [],
      entities: [],
      telemetry: createTelemetry({ service: 'test', stream: silent() }),
    });

  /** Returns the routes that a process with a role serves, and the results of its readiness checks while the broker is unreachable. */
  async function started(role: 'all' | 'api' | 'worker') {
    const service = await open(role);
    const http = service.serve({
      routes: [],
      rawRoutes: [{ path: '/raw', handle: async (_request, response) => void response.end('raw') }],
      authenticator: { authenticate: async () => await Promise.reject(problem('unauthenticated')) },
      broker: { ping: async () => await Promise.reject(new Error('no broker')) },
      readiness: { own: async () => undefined },
    });
    const components = [service.database, http];
    try {
      for (const component of components) await component.start();
      const raw = await fetch(`${http.url()}/raw`);
      const ready = await fetch(`${http.url()}/ready`);
      const body = (await ready.json()) as { checks: Record<string, unknown> };
      return { raw: raw.status, ready: ready.status, checks: Object.keys(body.checks).sort() };
    } finally {
      for (const component of components.reverse()) await component.stop();
    }
  }

  it('serves its routes, and needs the broker only for background work, according to its role', async () => {
    const [own, all] = [
      ['database', 'migrations', 'own'],
      ['broker', 'database', 'migrations', 'own', 'partitions'],
    ];
    expect(await started('all')).to.deep.equal({ raw: 200, ready: 503, checks: all });
    expect(await started('worker')).to.deep.equal({ raw: 404, ready: 503, checks: all });
    expect(await started('api')).to.deep.equal({ raw: 200, ready: 200, checks: own });
  });

  it('does not start on a database that was restored to a time, if it must wait, until the suite is consistent', async () => {
    const set = async (text: string) => await query(database.db.pool, `UPDATE source_epoch SET ${text}`);
    const start = async (options: { waitsForRecovery?: true }): Promise<string> => {
      const service = await open('api', options);
      try {
        await service.database.start();
        return 'started';
      } catch (error) {
        return String(error);
      } finally {
        await service.database.stop();
      }
    };
    await set('epoch = 2, is_restored = true');
    expect(await start({ waitsForRecovery: true })).to.match(/was restored to a time; run `taskwire restored test`/);
    expect(await start({})).to.equal('started');
    await set('is_restored = false');
    expect(await start({ waitsForRecovery: true }), 'a promoted standby').to.equal('started');
    await set('consistent_epoch = 2, is_restored = true');
    expect(await start({ waitsForRecovery: true }), 'after the command').to.equal('started');
  });

  it('closes its database when it stops', async () => {
    const service = await open('api');
    await service.database.start();
    await service.database.stop();
    const failure: unknown = await service.db.query('SELECT 1').catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(Error);
  });
});
