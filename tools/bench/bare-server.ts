import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import pg from 'pg';
import { creationStatements } from '../../services/tasks/src/postgres/create.ts';
import { performerSql } from '../../services/tasks/src/postgres/performer-sql.ts';

/**
 * The ceiling of the write path: node:http and a pg pool that run the statement of Tasks' POST and nothing else (no token, no validation, no rules,
 * no logs, no metrics, no relay). Started as a separate process; prints its port on stdout.
 */
const [databaseUrl, creatorId] = process.argv.slice(2);
if (databaseUrl === undefined || creatorId === undefined)
  throw new Error('usage: bare-server.ts <database url> <creator>');
const statementFor = creationStatements(performerSql({ requireVerifiedEmail: false }));
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });

async function answer(request: IncomingMessage, response: ServerResponse, creator: string): Promise<void> {
  const body = (await json(request)) as { title: string };
  const task = {
    title: body.title,
    description: '',
    priority: 'normal',
    due_at: null,
    due_time_zone: null,
    due_all_day: false,
    remind_before: 'P1D',
    labels: [],
    creator_id: creator,
    assignee_id: null,
    parent_id: null,
    project_id: null,
  } as const;
  const { values = [], ...statement } = statementFor(
    { ...task, labels: [] },
    { grounds: { reason: null }, request: undefined },
  );
  const { rows } = await pool.query<{ json: string }>({ ...statement, values: [...values] });
  response.writeHead(201, { 'content-type': 'application/json' }).end(rows[0]?.json);
}

const server = createServer((request, response) => void answer(request, response, creatorId));
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
