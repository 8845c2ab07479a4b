import type { Component } from '@taskwire/lifecycle';
import { createDatabase, refuseNewerDatabase } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import type { Env } from './env.ts';
import { migrations } from './migrations.ts';
import { entities } from './postgres/entities.ts';

/** The database. Its component refuses to start on a database that is newer than this build. */
export async function wireDatabase(env: Env, telemetry: Telemetry) {
  const db = await createDatabase({
    url: env.DATABASE_URL,
    poolSize: env.DATABASE_POOL_SIZE,
    applicationName: 'taskwire notifications',
    entities,
    telemetry,
  });
  const component: Component = {
    name: 'database',
    start: async () => await refuseNewerDatabase(db.pool, migrations),
    stop: db.close,
  };
  return { db, component };
}
