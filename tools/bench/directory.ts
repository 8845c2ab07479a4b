import { createPrivateKey } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createM2mTokens, createServiceClient, privateKeyJwt } from '@taskwire/http-client';
import { createDatabase, migrate, query } from '@taskwire/postgres';
import type { Telemetry } from '@taskwire/telemetry';
import { createUserDirectory, createUsersClient, userDirectoryMigrations } from '@taskwire/user-directory';
import { benchTelemetry } from './bench-telemetry.ts';
import { startAuth, type AuthServer } from './auth-server.ts';
import { perSecond, printFigures } from './figures.ts';
import { watchMemory } from './memory.ts';
import { startProbe, type ProbeResult } from './probe.ts';

const users = 100_000;
const pageSize = 100;
/** Background requests to Auth during the run: a steady rate, well below its capacity. */
const probeRate = 100;
/** How long Auth's response times are measured without a rebuild running. */
const undisturbedSeconds = 15;

/**
 * Measures how long it takes to fill an empty directory by paging through a running Auth, like `npm run taskwire -- directory rebuild`, while other
 * callers use Auth. The ceiling copies the same rows in the same pages from table to table: no HTTP, no token, no validation, no stored progress.
 */
export async function measureDirectory(): Promise<void> {
  console.log(`directory: ${users.toLocaleString('en-US')} users, ${probeRate} other requests/s to Auth`);
  const auth = await startAuth();
  try {
    await addUsers(auth);
    await migrate(auth.consumerDatabaseUrl, [userDirectoryMigrations]);
    const bareSeconds = await timed(async () => await copyBare(auth));
    const undisturbed = await probed(auth, async () => await delay(undisturbedSeconds * 1000));
    const memory = watchMemory();
    let seconds = Number.NaN;
    const disturbed = await probed(auth, async () => {
      seconds = await timed(async () => await memory.during(async () => await rebuild(auth)));
    });
    const show = ({ p50, p99 }: ProbeResult): string => `${p50} ms, ${p99} ms`;
    printFigures('directory', [
      { what: 'ceiling: the same pages from table to table', value: perSecond(users / bareSeconds, 'users') },
      { what: 'rebuild', value: perSecond(users / seconds, 'users'), ratio: bareSeconds / seconds },
      { what: `rebuild of ${users.toLocaleString('en-US')} users`, value: `${seconds.toFixed(1)} s` },
      { what: 'GET /api/v1/users/me without it, p50 and p99', value: show(undisturbed) },
      { what: 'GET /api/v1/users/me during it, p50 and p99', value: show(disturbed) },
      ...memory.figures(),
    ]);
  } finally {
    await auth.stop();
  }
}

async function addUsers({ databaseUrl }: AuthServer): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    `INSERT INTO users (id, email, name, role, email_verified, password_hash, created_at, updated_at)
     SELECT uuidv7(), 'user' || n || '@example.org', 'User ' || n, 'member', true, 'none', at, at
     FROM generate_series(2, $1::integer) n, LATERAL (SELECT now() - interval '1 day' + n * interval '1 millisecond') AS past (at)`,
    [users],
  );
  await client.query('VACUUM ANALYZE users');
  await client.end();
}

/** Fills the directory, and then empties it again. */
async function copyBare({ databaseUrl, consumerDatabaseUrl }: AuthServer): Promise<void> {
  const from = new pg.Client({ connectionString: databaseUrl });
  const to = new pg.Client({ connectionString: consumerDatabaseUrl });
  await Promise.all([from.connect(), to.connect()]);
  type Row = { id: string; updated_at: string };
  let last: Row = { id: '00000000-0000-0000-0000-000000000000', updated_at: '-infinity' };
  for (;;) {
    const { rows } = await from.query<Row>({
      name: 'page',
      text: `SELECT id, email, name, role, version, updated_at::text, tokens_valid_after::text, deleted_at IS NOT NULL AS is_deleted
        FROM users WHERE (updated_at, id) > ($1, $2) ORDER BY users.updated_at, users.id LIMIT ${pageSize}`,
      values: [last.updated_at, last.id],
    });
    await to.query({
      name: 'write',
      text: `INSERT INTO directory_users (id, email, name, role, version, updated_at, tokens_valid_after, is_deleted, fetched_at)
        SELECT *, clock_timestamp() FROM jsonb_to_recordset($1::jsonb) AS page (
          id uuid, email text, name text, role text, version integer,
          updated_at timestamptz, tokens_valid_after timestamptz, is_deleted boolean)`,
      values: [JSON.stringify(rows)],
    });
    if (rows.length < pageSize) break;
    last = rows.at(-1) ?? last;
  }
  await to.query('TRUNCATE directory_users');
  await Promise.all([from.end(), to.end()]);
}

async function rebuild(auth: AuthServer): Promise<void> {
  const telemetry = benchTelemetry();
  const url = auth.consumerDatabaseUrl;
  const db = await createDatabase({ url, poolSize: 4, applicationName: 'bench', telemetry });
  const { client, close } = authClient(auth, telemetry);
  const directory = createUserDirectory({ db, users: createUsersClient(client), telemetry });
  const rebuilt = await directory.reconciler.rebuild();
  const [held] = await query<{ rows: number }>(
    db.pool,
    'SELECT count(*)::int AS rows FROM directory_users WHERE fetched_at IS NOT NULL',
  );
  if (rebuilt.users < users || held?.rows !== users)
    throw new Error(`${rebuilt.users} users were read and ${held?.rows} are held, not ${users}`);
  await close();
  await db.close();
}

function authClient({ url, client: { id, privateKey, issuer } }: AuthServer, telemetry: Telemetry) {
  const authentication = privateKeyJwt({ clientId: id, issuer, privateKey: createPrivateKey(privateKey) });
  const tokens = createM2mTokens({ tokenUrl: `${url}/oidc/token`, authentication, telemetry });
  const audience = 'urn:taskwire:auth';
  const client = createServiceClient({
    ...{ name: 'auth', baseUrl: url, audience, scope: 'users:read', tokens, telemetry },
  });
  return { client, close: async () => void (await Promise.all([client.close(), tokens.close()])) };
}

/** Auth's response times for other callers while `work` runs. */
async function probed({ url, accessToken }: AuthServer, work: () => Promise<void>): Promise<ProbeResult> {
  const probe = startProbe({ url: `${url}/api/v1/users/me`, token: accessToken, perSecond: probeRate });
  await work();
  return await probe.stop();
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}
