import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startPostgres, type PostgresServer } from '@taskwire/process-supervisor';
import pg from 'pg';

/** A separate server that archives its WAL and has a base backup. It uses PostgreSQL's own interface, without a backup program. */
export type ArchivingPostgres = {
  /** The superuser's URL. */
  url: string;
  /** Takes a base backup while the server works. */
  backUp(): Promise<void>;
  /** Ends the current WAL file, and resolves when it is in the archive. */
  archive(): Promise<void>;
  /** Simulates the loss of the server's machine: kills the server and deletes its data. */
  lose(): Promise<void>;
  /** Restores the base backup up to a time by the server's clock (in PostgreSQL's text format), and promotes the result. */
  restore(time: string): Promise<void>;
  stop(): Promise<void>;
};

/**
 * Files and folders that a base backup omits, or keeps empty:
 * https://www.postgresql.org/docs/18/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP-DATA
 */
const leftOut = new Set(['postmaster.pid', 'postmaster.opts']);
const keptEmpty = new Set([
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]);
/** A WAL file is archived within milliseconds; the archiver retries a failure after a minute. */
const archiveTimeoutMs = 120_000;
/** Replays the WAL of minutes. */
const recoveryTimeoutMs = 300_000;

export async function startArchivingPostgres(o: {
  dir: string;
  port: number;
  password: string;
}): Promise<ArchivingPostgres> {
  const [data, backup, archive] = ['data', 'backup', 'archive'].map((name) => join(o.dir, name)) as [
    string,
    string,
    string,
  ];
  let server: PostgresServer | undefined;

  async function start(): Promise<PostgresServer> {
    const settings = {
      archive_mode: 'on',
      // never overwrites a file, and an incomplete file never has the name of a complete one
      archive_command: `mkdir -p ${archive} && test ! -f ${archive}/%f && cp %p ${archive}/%f.part && mv ${archive}/%f.part ${archive}/%f`,
    };
    server = await startPostgres({ ...o, settings });
    return server;
  }

  const { url } = await start();

  return {
    url,
    async backUp() {
      await connected(url, async (client) => {
        await client.query("SELECT pg_backup_start('taskwire', fast => true)");
        copyData(data, backup);
        const { rows } = await client.query<{ labelfile: string; spcmapfile: string }>(
          'SELECT * FROM pg_backup_stop()',
        );
        writeFileSync(join(backup, 'backup_label'), rows[0]?.labelfile ?? '');
        if (rows[0]?.spcmapfile) writeFileSync(join(backup, 'tablespace_map'), rows[0].spcmapfile);
      });
    },
    async archive() {
      const last = await connected(url, async (client) => {
        const { rows } = await client.query<{ file: string }>('SELECT pg_walfile_name(pg_switch_wal()) AS file');
        return rows[0]?.file ?? '';
      });
      await until(() => Promise.resolve(existsSync(join(archive, last))), archiveTimeoutMs, `${last} in the archive`);
    },
    async lose() {
      server?.kill('SIGKILL');
      await server?.exited;
      rmSync(data, { recursive: true, force: true });
    },
    async restore(time) {
      run('cp', ['-a', backup, data]);
      writeFileSync(join(data, 'recovery.signal'), '');
      const recovery = {
        restore_command: `cp ${archive}/%f %p`,
        recovery_target_time: time,
        recovery_target_action: 'promote',
      };
      const lines = Object.entries(recovery).map(([name, value]) => `${name} = '${value}'\n`);
      appendFileSync(join(data, 'postgresql.auto.conf'), lines.join(''));
      await start();
      const isPromoted = async () =>
        await connected(url, async (client) => {
          const { rows } = await client.query<{ done: boolean }>('SELECT NOT pg_is_in_recovery() AS done');
          return rows[0]?.done === true;
        });
      await until(isPromoted, recoveryTimeoutMs, 'the end of recovery');
    },
    stop: async () => await server?.stop(),
  };
}

/** Copies the files of a running server. Files may change and disappear while they are copied; the WAL of the backup repairs the copy. */
function copyData(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { mode: 0o700 });
  for (const name of readdirSync(from)) {
    if (leftOut.has(name)) continue;
    if (keptEmpty.has(name)) mkdirSync(join(to, name), { mode: 0o700 });
    else run('cp', ['-a', join(from, name), join(to, name)], /No such file or directory/);
  }
}

/** `mayFailFor`: the only kind of error line that does not count as a failure. */
function run(command: string, args: string[], mayFailFor?: RegExp): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  const faults = stderr.split('\n').filter((line) => line !== '' && mayFailFor?.test(line) !== true);
  if (status !== 0 && (faults.length > 0 || mayFailFor === undefined))
    throw new Error(`${command} ${args.join(' ')} failed: ${stderr.trim()}`);
}

export async function connected<T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'restore drill' });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** Polls a condition. @throws if it is not met in time. A check that throws counts as not met. */
export async function until(isMet: () => Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await isMet()) return;
    } catch (error) {
      last = error;
    }
    await delay(100);
  }
  throw new Error(`waited ${timeoutMs / 1000} s for ${what}`, { cause: last });
}
