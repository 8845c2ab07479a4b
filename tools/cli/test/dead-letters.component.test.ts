import { hostname, userInfo } from 'node:os';
import { expect } from 'chai';
import { inboxMigrations } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { runProgram, type Ended } from './run-program.ts';

describe('npm run dlq', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  before(async () => (database = await testDatabase([inboxMigrations])));
  after(async () => await database.drop());
  beforeEach(async () => void (await query(database.db.pool, 'DELETE FROM dead_letters')));

  const dlq = async (...args: string[]): Promise<Ended> =>
    await runProgram('dead-letters/dead-letters.ts', args, { TASKS_DATABASE_URL: database.url });

  /** Returns the ids in the order in which the messages were dead-lettered. */
  async function bury(
    count: number,
    letter: { type?: string; error?: string; payload?: Buffer } = {},
  ): Promise<string[]> {
    const { type = 'auth.user.created', error = 'not decided', payload = Buffer.from('{"n":1}') } = letter;
    const rows = await query<{ id: string }>(
      database.db.pool,
      `INSERT INTO dead_letters (
         message_id, handler, type, reason, error, attempts, errors, aggregate_id, headers, payload, received_at, dead_at)
       SELECT uuidv7()::text, 'directory', $2, 'attempts_exhausted', $3, 12,
         jsonb_build_array(jsonb_build_object('at', '2026-11-20T08:00:00.000Z', 'attempt', 1, 'error', $3::text)), 'ann',
         '{"schema_version":1}', $4, now(), now() - interval '1 hour' + n * interval '1 millisecond'
       FROM generate_series(1, $1) AS n RETURNING id`,
      [count, type, error, payload],
    );
    return rows.map(({ id }) => id);
  }

  const states = async (): Promise<string[]> =>
    (await query<{ state: string }>(database.db.pool, 'SELECT state FROM dead_letters ORDER BY dead_at')).map(
      ({ state }) => state,
    );

  it('explains itself', async () => {
    const { code, stdout } = await dlq('--help');
    expect(code).to.equal(0);
    for (const word of ['list', 'waiting', 'show', 'replay', 'drop', '--because', 'TASKS_DATABASE_URL', 'Exit codes'])
      expect(stdout).to.include(word);
  });

  it('lists what matches as a table, and as JSON with a cursor', async () => {
    const ids = await bury(3);
    const [other] = await bury(1, { type: 'auth.user.deleted' });
    const table = await dlq('list', 'tasks', '--type', 'auth.user.created');
    expect(table.code).to.equal(0);
    for (const id of ids) expect(table.stdout).to.include(id);
    expect(table.stdout).to.include('attempts_exhausted: not decided').and.not.to.include(other);
    const json = await dlq('list', 'tasks', '--limit', '2', '--json');
    const page = JSON.parse(json.stdout) as { data: { id: string }[]; next_cursor: string };
    expect(page.data).to.have.length(2);
    const rest = await dlq('list', 'tasks', '--cursor', page.next_cursor, '--json');
    const { data } = JSON.parse(rest.stdout) as typeof page;
    expect([...page.data, ...data].map(({ id }) => id)).to.have.members([...ids, other]);
    expect((await dlq('list', 'tasks', '--key', 'nobody')).stdout).to.equal('There is none.\n');
  });

  it('shows one with headers, errors and payload, and nothing that could move the cursor', async () => {
    const [id = ''] = await bury(1, { error: 'red \u001b[31m', payload: Buffer.from('{"a":1}\n\u001b[2J') });
    const { code, stdout } = await dlq('show', 'tasks', id);
    expect(code).to.equal(0);
    expect(stdout)
      .to.include('schema_version: 1')
      .and.to.include('attempt 1')
      .and.to.include('payload (12 bytes, utf8)');
    expect(stdout).to.include('\\x1b[2J').and.not.to.include('\u001b');
    expect(JSON.parse((await dlq('show', 'tasks', id, '--json')).stdout)).to.include({ id, state: 'dead' });
  });

  it('replays by id, once, and is named in the audit', async () => {
    const [id = ''] = await bury(1);
    const first = await dlq('replay', 'tasks', id, '--because', 'Auth is back');
    expect(first).to.deep.equal({ code: 0, stdout: `${id} replayed.\n`, stderr: '' });
    const second = await dlq('replay', 'tasks', id);
    expect(second.code).to.equal(1);
    expect(second.stderr).to.include('somebody settled it before');
    const audit = await query(
      database.db.pool,
      'SELECT actor, action, reason FROM dead_letter_audit WHERE dead_letter_id = $1',
      [id],
    );
    const actor = `os:${userInfo().username}@${hostname()}`;
    expect(audit).to.deep.equal([{ actor, action: 'replay', reason: 'Auth is back' }]);
    const retries = await query(database.db.pool, 'SELECT state, attempts FROM inbox_retries');
    expect(retries).to.deep.equal([{ state: 'retry', attempts: 0 }]);
  });

  it('settles all that match, in as many batches as it takes', async () => {
    await bury(1100);
    await bury(1, { type: 'auth.user.deleted' });
    const dropped = await dlq('drop', 'tasks', '--type', 'auth.user.created', '--because', 'test data');
    expect(dropped.code).to.equal(0);
    expect(dropped.stdout.trim().split('\n').at(-1)).to.equal('1100 dropped.');
    expect((await states()).filter((state) => state === 'dead')).to.have.length(1);
    const replayed = await dlq('replay', 'tasks', '--all', '--json');
    expect(JSON.parse(replayed.stdout)).to.deep.equal({ replayed: 1 });
  });

  it('lists what waits for another attempt, with attempts, the next one and the last error', async () => {
    const [first, second, running, dead] = await query<{ message_id: string }>(
      database.db.pool,
      `INSERT INTO inbox_retries (
         message_id, handler, type, order_key, aggregate_id, state, attempts, uncounted, lease, next_attempt_at, last_error, headers, payload)
       VALUES
         (uuidv7(), 'tell', 'tasks.task.assigned', 'fence', 'fence', 'retry', 3, 2, NULL, '2036-01-01T08:00:00.123Z', 'Tasks is away', '{}', ''),
         (uuidv7(), 'tell', 'tasks.task.completed', 'fence', 'fence', 'waiting', 0, 0, NULL, NULL, NULL, '{}', ''),
         (uuidv7(), 'welcome', 'auth.user.created', NULL, 'ann', 'retry', 1, 0, uuidv7(), now(), E'red \u001b[31m', '{}', ''),
         (uuidv7(), 'tell', 'tasks.task.created', 'roof', 'roof', 'dead', 9, 0, NULL, NULL, 'refused', '{}', '')
       RETURNING message_id`,
    ).then((rows) => rows.map(({ message_id: id }) => id));
    const table = await dlq('waiting', 'tasks');
    expect(table.code).to.equal(0);
    const line = (id = '') => table.stdout.split('\n').find((one) => one.includes(id));
    expect(line(first)).to.match(
      /^tasks\.events +.* tasks\.task\.assigned +fence +tell +3 \(\+2\) +2036-01-01T08:00:00Z +Tasks is away$/,
    );
    expect(line(second)).to.match(/ 0 +after one before it +-$/);
    expect(line(running)).to.match(/ 1 +running +red \\x1b\[31m$/);
    expect(table.stdout).not.to.include(dead);

    const json = await dlq('waiting', 'tasks', '--key', 'fence', '--limit', '1', '--json');
    const page = JSON.parse(json.stdout) as { data: object[]; next_cursor: string };
    expect(page.data).to.have.length(1);
    expect(page.data[0]).to.include({
      ...{ queue: 'tasks.events', message_id: first, handler: 'tell', state: 'retry', attempts: 3, unavailable: 2 },
      ...{ next_attempt_at: '2036-01-01T08:00:00.123000Z', last_error: 'Tasks is away' },
    });
    const rest = await dlq('waiting', 'tasks', '--key', 'fence', '--cursor', page.next_cursor, '--json');
    expect((JSON.parse(rest.stdout) as typeof page).data.map((row) => Reflect.get(row, 'message_id'))).to.deep.equal([
      second,
    ]);
    expect((await dlq('waiting', 'tasks', '--type', 'auth.#', '--json')).stdout).to.include(running);
    await query(database.db.pool, 'DELETE FROM inbox_retries');
    expect((await dlq('waiting', 'tasks')).stdout).to.equal('There is none.\n');
  });

  const unknownId = '019aa1b2-0000-7000-8000-0000000000ff';
  const wrong: [args: string[], says: RegExp][] = [
    [['frobnicate'], /no command "frobnicate".*list, waiting, show, replay, drop/],
    [['list'], /<service> is missing: name tasks or notifications/],
    [['list', 'auth'], /<service> is "auth": it must be tasks or notifications/],
    [['list', 'tasks', '--colour', 'red'], /--colour/],
    [['list', 'tasks', '--limit', 'all'], /--limit: must be a whole number/],
    [['list', 'tasks', '--state', 'lost'], /--state: /],
    [['list', 'tasks', '--from', 'yesterday'], /--from: /],
    [['waiting', 'tasks', '--reason', 'x'], /--reason/],
    [['list', 'tasks', unknownId], /one argument too many/],
    [['show', 'tasks'], /<id> is missing/],
    [['show', 'tasks', 'seven'], /<id> "seven" is no id/],
    [['replay', 'tasks'], /Which ones\? Give ids, a filter such as --type, or --all/],
    [['replay', 'tasks', unknownId, '--all'], /exclude one another/],
    [['drop', 'tasks', unknownId], /--because is missing/],
    [['drop', 'tasks', unknownId, '--because', ' '], /--because must have/],
  ];
  it('names the argument that is wrong and what to do, and touches nothing', async () => {
    await bury(1);
    for (const [args, says] of wrong) {
      const { code, stdout, stderr } = await dlq(...args);
      expect(code, args.join(' ')).to.equal(2);
      expect(stderr).to.match(says).and.to.include('npm run dlq -- --help');
      expect(stdout).to.equal('');
    }
    expect(await states()).to.deep.equal(['dead']);
  });

  it('says what to do when there is no suite, no such letter, or not the right database', async () => {
    const nowhere = await runProgram('dead-letters/dead-letters.ts', ['list', 'tasks']);
    expect(nowhere.code).to.equal(1);
    expect(nowhere.stderr).to.include('npm start').and.to.include('TASKS_DATABASE_URL');
    const away = await runProgram('dead-letters/dead-letters.ts', ['list', 'tasks'], {
      TASKS_DATABASE_URL: 'postgres://a:secret@127.0.0.1:1/b',
    });
    expect(away.code).to.equal(1);
    expect(away.stderr)
      .to.include('TASKS_DATABASE_URL')
      .and.to.include('cannot be reached')
      .and.not.to.include('secret');
    const none = await dlq('show', 'tasks', unknownId);
    expect([none.code, none.stderr]).to.deep.equal([1, `tasks has no dead letter ${unknownId}.\n`]);
    const empty = await testDatabase([]);
    try {
      const { code, stderr } = await runProgram('dead-letters/dead-letters.ts', ['list', 'tasks'], {
        TASKS_DATABASE_URL: empty.url,
      });
      expect(code).to.equal(1);
      expect(stderr).to.include('node services/tasks/src/migrate.ts');
    } finally {
      await empty.drop();
    }
  });
});
