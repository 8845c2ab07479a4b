import { hostname, userInfo } from 'node:os';
import { expect } from 'chai';
import { inboxMigrations } from '@taskwire/inbox';
import { query } from '@taskwire/postgres';
import { testDatabase, type TestDatabase } from '@taskwire/testing';
import { runTaskwire } from './run-taskwire.ts';

describe('taskwire dead-letters', () => {
  let database: TestDatabase;
  before(async () => (database = await testDatabase([inboxMigrations])));
  after(async () => await database.drop());
  beforeEach(async () => void (await query(database.db.pool, 'DELETE FROM dead_letters')));

  const deadLetters = async (...args: string[]) =>
    await runTaskwire(['dead-letters', ...args], { TASKS_DATABASE_URL: database.url });

  /** Returns the ids in the order in which the messages were dead-lettered. */
  async function deadLetter(
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

  it('lists matching messages as a table, and as JSON with a cursor', async () => {
    const ids = await deadLetter(3);
    const [other] = await deadLetter(1, { type: 'auth.user.deleted' });
    const table = await deadLetters('list', 'tasks', '--type', 'auth.user.created');
    expect(table.code).to.equal(0);
    for (const id of ids) expect(table.stdout).to.include(id);
    expect(table.stdout).to.include('attempts_exhausted: not decided').and.not.to.include(other);
    const json = await deadLetters('list', 'tasks', '--limit', '2', '--json');
    const page = JSON.parse(json.stdout) as { data: { id: string }[]; next_cursor: string };
    expect(page.data).to.have.length(2);
    const rest = await deadLetters('list', 'tasks', '--cursor', page.next_cursor, '--json');
    const { data } = JSON.parse(rest.stdout) as typeof page;
    expect([...page.data, ...data].map(({ id }) => id)).to.have.members([...ids, other]);
    expect((await deadLetters('list', 'tasks', '--key', 'unknown')).stdout).to.equal('No messages found.\n');
  });

  it('shows a dead letter with headers, errors and payload, without control characters', async () => {
    const [id = ''] = await deadLetter(1, { error: 'red \u001b[31m', payload: Buffer.from('{"a":1}\n\u001b[2J') });
    const { code, stdout } = await deadLetters('show', 'tasks', id);
    expect(code).to.equal(0);
    expect(stdout)
      .to.include('schema_version: 1')
      .and.to.include('attempt 1')
      .and.to.include('payload (12 bytes, utf8)');
    expect(stdout).to.include('\\x1b[2J').and.not.to.include('\u001b');
    expect(JSON.parse((await deadLetters('show', 'tasks', id, '--json')).stdout)).to.include({ id, state: 'dead' });
  });

  it('replays by id, once, and records the operator in the audit', async () => {
    const [id = ''] = await deadLetter(1);
    const first = await deadLetters('replay', 'tasks', id, '--because', 'Auth is back');
    expect(first).to.deep.equal({ code: 0, stdout: `${id} replayed.\n`, stderr: '' });
    const second = await deadLetters('replay', 'tasks', id);
    expect(second.code).to.equal(1);
    expect(second.stderr).to.include('another replay or drop came first');
    const audit = await query(
      database.db.pool,
      'SELECT actor, action, reason FROM dead_letter_audit WHERE dead_letter_id = $1',
      [id],
    );
    const actor = `os:${userInfo().username}@${hostname()}`;
    expect(audit).to.deep.equal([{ actor, action: 'replay', reason: 'Auth is back' }]);
    const retries = await query(database.db.pool, 'SELECT state, attempts FROM inbox_pending');
    expect(retries).to.deep.equal([{ state: 'retry', attempts: 0 }]);
  });

  it('drops and replays all matching messages, in several batches if necessary', async () => {
    await deadLetter(1100);
    await deadLetter(1, { type: 'auth.user.deleted' });
    const dropped = await deadLetters('drop', 'tasks', '--type', 'auth.user.created', '--because', 'test data');
    expect(dropped.code).to.equal(0);
    expect(dropped.stdout.trim().split('\n').at(-1)).to.equal('1100 dropped.');
    expect((await states()).filter((state) => state === 'dead')).to.have.length(1);
    const replayed = await deadLetters('replay', 'tasks', '--all', '--json');
    expect(JSON.parse(replayed.stdout)).to.deep.equal({ replayed: 1 });
  });

  it('lists messages that wait for another attempt, with attempts, the next one and the last error', async () => {
    const [first, second, running, dead] = await query<{ message_id: string }>(
      database.db.pool,
      `INSERT INTO inbox_pending (
         message_id, handler, type, order_key, aggregate_id, state, attempts, free_attempts, lease_id, lease_expires_at, next_attempt_at,
         last_error, headers, payload)
       VALUES
         (uuidv7(), 'notify', 'tasks.task.assigned', 'fence', 'fence', 'retry', 3, 2, NULL, NULL, '2036-01-01T08:00:00.123Z', 'Tasks is down', '{}', ''),
         (uuidv7(), 'notify', 'tasks.task.completed', 'fence', 'fence', 'waiting', 0, 0, NULL, NULL, NULL, NULL, '{}', ''),
         (uuidv7(), 'welcome', 'auth.user.created', NULL, 'ann', 'retry', 1, 0, uuidv7(), now(), now(), E'red \u001b[31m', '{}', ''),
         (uuidv7(), 'notify', 'tasks.task.created', 'roof', 'roof', 'dead', 9, 0, NULL, NULL, NULL, 'refused', '{}', '')
       RETURNING message_id`,
    ).then((rows) => rows.map(({ message_id: id }) => id));
    const table = await deadLetters('waiting', 'tasks');
    expect(table.code).to.equal(0);
    const line = (id = '') => table.stdout.split('\n').find((one) => one.includes(id));
    expect(line(first)).to.match(
      /^tasks\.events +.* tasks\.task\.assigned +fence +notify +3 \(\+2\) +2036-01-01T08:00:00Z +Tasks is down$/,
    );
    expect(line(second)).to.match(/ 0 +after an earlier one +-$/);
    expect(line(running)).to.match(/ 1 +running +red \\x1b\[31m$/);
    expect(table.stdout).not.to.include(dead);

    const json = await deadLetters('waiting', 'tasks', '--key', 'fence', '--limit', '1', '--json');
    const page = JSON.parse(json.stdout) as { data: object[]; next_cursor: string };
    expect(page.data).to.have.length(1);
    expect(page.data[0]).to.include({
      ...{ queue: 'tasks.events', message_id: first, handler: 'notify', state: 'retry', attempts: 3, unavailable: 2 },
      ...{ next_attempt_at: '2036-01-01T08:00:00.123000Z', last_error: 'Tasks is down' },
    });
    const rest = await deadLetters('waiting', 'tasks', '--key', 'fence', '--cursor', page.next_cursor, '--json');
    expect((JSON.parse(rest.stdout) as typeof page).data.map((row) => Reflect.get(row, 'message_id'))).to.deep.equal([
      second,
    ]);
    expect((await deadLetters('waiting', 'tasks', '--type', 'auth.#', '--json')).stdout).to.include(running);
    await query(database.db.pool, 'DELETE FROM inbox_pending');
    expect((await deadLetters('waiting', 'tasks')).stdout).to.equal('No messages found.\n');
  });

  const unknownId = '019aa1b2-0000-7000-8000-0000000000ff';
  const wrong: [args: string[], message: RegExp][] = [
    [[], /Usage: .*dead-letters \[options\] \[command\]/],
    [['frobnicate'], /unknown command 'frobnicate'\nCommands: list, waiting, show, replay, drop/],
    [['list'], /missing required argument 'service'\nUsage: .* list \[options\] <service>/],
    [['list', 'auth'], /'auth' is invalid for argument 'service'. Allowed choices are tasks, notifications/],
    [['list', 'tasks', '--colour', 'red'], /unknown option '--colour'/],
    [['list', 'tasks', '--limit', 'all'], /'--limit <number>' argument 'all' is invalid. It must be a whole number/],
    [['list', 'tasks', '--state', 'lost'], /'--state <state>' argument 'lost' is invalid. Allowed choices are dead, /],
    [['list', 'tasks', '--from', 'yesterday'], /'--from <time>' argument 'yesterday' is invalid. It must be /],
    [['waiting', 'tasks', '--reason', 'x'], /unknown option '--reason'/],
    [['list', 'tasks', unknownId], /too many arguments for 'list'. Expected 1 argument but got 2/],
    [['show', 'tasks'], /missing required argument 'id'/],
    [['show', 'tasks', 'seven'], /'seven' is invalid for argument 'id'. Pass an id, as in the first column/],
    [['replay', 'tasks'], /ids, a filter such as --type, or --all/],
    [['replay', 'tasks', unknownId, '--all'], /exclude one another/],
    [['drop', 'tasks', unknownId], /required option '--because <text>' not specified/],
    [
      ['drop', 'tasks', unknownId, '--because', ' '],
      /'--because <text>' argument ' ' is invalid. It must have 1 to 500/,
    ],
  ];
  it('names a wrong argument and the remedy, and changes nothing', async () => {
    await deadLetter(1);
    for (const [args, message] of wrong) {
      const { code, stdout, stderr } = await deadLetters(...args);
      expect(code, args.join(' ')).to.equal(2);
      expect(stderr).to.match(message);
      if (args.length > 0) expect(stderr).to.match(/^Help: npm run taskwire -- dead-letters.* --help$/m);
      expect(stdout).to.equal('');
    }
    expect(await states()).to.deep.equal(['dead']);
  });

  it('names the remedy when no suite is running, the dead letter does not exist, or the database is the wrong one', async () => {
    const nowhere = await runTaskwire(['dead-letters', 'list', 'tasks']);
    expect(nowhere.code).to.equal(1);
    expect(nowhere.stderr).to.include('npm start').and.to.include('TASKS_DATABASE_URL');
    const unreachable = await runTaskwire(['dead-letters', 'list', 'tasks'], {
      TASKS_DATABASE_URL: 'postgres://a:secret@127.0.0.1:1/b',
    });
    expect(unreachable.code).to.equal(1);
    expect(unreachable.stderr)
      .to.include('TASKS_DATABASE_URL')
      .and.to.include('cannot be reached')
      .and.not.to.include('secret');
    const none = await deadLetters('show', 'tasks', unknownId);
    expect([none.code, none.stderr]).to.deep.equal([1, `tasks has no dead letter ${unknownId}.\n`]);
    const empty = await testDatabase([]);
    try {
      const { code, stderr } = await runTaskwire(['dead-letters', 'list', 'tasks'], {
        TASKS_DATABASE_URL: empty.url,
      });
      expect(code).to.equal(1);
      expect(stderr).to.include('node services/tasks/src/migrate.ts');
    } finally {
      await empty.drop();
    }
  });
});
