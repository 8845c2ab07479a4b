import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import pg from 'pg';
import {
  copyDatabase,
  createTemplate,
  databaseUrl,
  disposableSettings,
  dropDatabase,
  freePorts,
  provisionDatabase,
  startPostgres,
  type PostgresServer,
} from '../src/index.ts';
import { scratchFolder } from './scratch.ts';

describe('A local PostgreSQL', function () {
  this.timeout(60_000);
  const scratch = scratchFolder();
  const dir = join(scratch.dir, 'postgres');
  const password = 'pass/word';
  let port: number;
  let server: PostgresServer | undefined;

  const start = async () => (server = await startPostgres({ dir, port, password, settings: disposableSettings }));

  before(async () => {
    [port = 0] = await freePorts(1);
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
  });
  after(() => scratch.remove());

  it('serves version 18 and keeps its data across a restart', async () => {
    const first = await start();
    await query(first.url, 'create table kept (id int)');
    await first.stop();
    const second = await start();
    expect(await query(second.url, "select to_regclass('kept')::text as name")).to.deep.equal([{ name: 'kept' }]);
    expect(await query(second.url, "select current_setting('server_version_num')::int / 10000 as major")).to.deep.equal(
      [{ major: 18 }],
    );
  });

  it('recovers from a kill with -9', async () => {
    const first = await start();
    await query(first.url, 'create table committed as select 1 as id');
    first.kill('SIGKILL');
    await first.exited;
    const second = await start();
    expect(await query(second.url, 'select id from committed')).to.deep.equal([{ id: 1 }]);
  });

  it('starts although the process id in postmaster.pid now belongs to another program', async () => {
    const pidFile = join(dir, 'data', 'postmaster.pid');
    writeFileSync(pidFile, `${process.pid}\n${join(dir, 'data')}\n1700000000\n${port}\n\n127.0.0.1\n\n`);
    await start();
    expect(readFileSync(pidFile, 'utf8')).not.to.match(new RegExp(`^${process.pid}\n`));
  });

  it('replaces a server that an earlier run left on the same folder', async () => {
    const left = await start();
    const second = await start();
    await left.exited;
    expect(await query(second.url, 'select 1 as one')).to.deep.equal([{ one: 1 }]);
  });

  it('names a port that is in use', async () => {
    const stranger = createServer();
    await new Promise<void>((resolve) => stranger.listen(port, '127.0.0.1', resolve));
    const error = await start().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    await new Promise((resolve) => stranger.close(resolve));
    expect(String(error)).to.include(`PostgreSQL cannot use port ${port}`);
  });

  it('names the fault of a data folder that does not start', async () => {
    const broken = join(scratch.dir, 'broken');
    mkdirSync(join(broken, 'data'), { recursive: true, mode: 0o700 });
    writeFileSync(join(broken, 'data', 'PG_VERSION'), '9.6\n');
    const starting = startPostgres({ dir: broken, port, password });
    const error = await starting.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(String(error)).to.match(/PostgreSQL ended with exit code \d[^]*\n {2}\| .*\n[^]*delete it and start again/);
  });

  it('gives each login its own database and no other', async () => {
    const { url } = await start();
    const auth = { database: 'taskwire_auth', login: 'auth', password: 'a' };
    const tasks = { database: 'taskwire_tasks', login: 'tasks', password: 't' };
    await provisionDatabase(url, auth);
    await provisionDatabase(url, tasks);
    await provisionDatabase(url, { ...tasks, password: 'changed' });

    const own = databaseUrl(url, { ...tasks, password: 'changed' });
    await query(own, 'create table mine (id int)');
    const other = databaseUrl(url, { ...tasks, database: 'taskwire_auth', password: 'changed' });
    expect(await fault(other)).to.match(/permission denied for database "taskwire_auth"/);
    expect(await fault(databaseUrl(url, tasks))).to.match(/password authentication failed/);
    expect(await fault(own, 'create database more')).to.match(/permission denied/);
    expect(await fault(own, 'create role more')).to.match(/permission denied/);

    await dropDatabase(url, tasks);
    expect(await query(url, "select rolname from pg_roles where rolname = 'tasks'")).to.deep.equal([]);
  });

  it('fills a template once for concurrent callers, and copies it with its owner', async () => {
    const { url } = await start();
    const template = { database: 'template_things', login: 'things', password: 't' };
    let filled = 0;
    const fill = async (at: string) => {
      filled++;
      await query(at, 'create table things as select 1 as id');
    };
    await Promise.all([1, 2, 3].map(async () => await createTemplate(url, template, fill)));
    expect(filled).to.equal(1);

    await copyDatabase(url, { template: template.database, database: 'copy', login: template.login });
    const copy = databaseUrl(url, { ...template, database: 'copy' });
    await query(copy, 'alter table things add more text');
    expect(await query(copy, 'select id, more from things')).to.deep.equal([{ id: 1, more: null }]);
    expect(await query(databaseUrl(url, template), 'select * from things')).to.deep.equal([{ id: 1 }]);
  });

  it('leaves no template behind if it could not be filled', async () => {
    const { url } = await start();
    const template = { database: 'template_broken', login: 'broken', password: 't' };
    const failing = createTemplate(url, template, () => Promise.reject(new Error('a migration fails')));
    expect(String(await failing.catch((error: unknown) => error))).to.include('a migration fails');
    await createTemplate(url, template, async (at) => void (await query(at, 'create table things ()')));
    expect(await query(databaseUrl(url, template), 'select * from things')).to.deep.equal([]);
  });
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

function fault(url: string, text = 'select 1'): Promise<string> {
  return query(url, text).then(() => 'it worked', String);
}
