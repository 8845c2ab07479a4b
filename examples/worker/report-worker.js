// node report-worker.js: renders CSV reports of users' tasks, one for each job {"queue": "reports", "kind": "task_report", "payload": {"user": "<id>"}}
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { passwordSession, Taskwire } from '@taskwire/client';
import { createWorker, JobError } from '@taskwire/worker';

const url = process.env.TASKWIRE_URL ?? 'http://localhost:8080';
const folder = process.env.REPORTS ?? 'reports';

// tasks are read as a user; another worker could use a database of its own instead
const session = passwordSession();
const tw = new Taskwire({ baseUrl: url, auth: session });
const email = process.env.REPORT_EMAIL ?? 'manager@taskwire.test';
await session.login(email, process.env.REPORT_PASSWORD ?? 'plum-kettle-orbit');
await mkdir(folder, { recursive: true });

const columns = ['id', 'title', 'state', 'priority', 'due_at', 'created_at', 'updated_at'];
// a spreadsheet would run text that begins like a formula
const plain = (value) => String(value ?? '').replace(/^[=+\-@\t\r]/, "'$&");
const row = (values) => `${values.map((value) => `"${plain(value).replaceAll('"', '""')}"`).join(',')}\r\n`;

async function renderReport({ id, kind, payload }, { signal, fence, progress }) {
  if (kind !== 'task_report' || typeof payload?.user !== 'string') {
    throw new JobError('unknown_job', `This worker cannot carry out ${kind} with this payload.`, { final: true });
  }
  const file = join(folder, `${id}.csv`);
  // a name that no other run of the job has
  const unfinished = `${file}.${fence}`;
  const writing = await open(unfinished, 'w');
  let rows = 0;
  try {
    await writing.write(row(columns));
    for await (const { data } of tw.tasks.list({ assignee: payload.user, limit: 100 }).pages()) {
      signal.throwIfAborted();
      for (const task of data) await writing.write(row(columns.map((column) => task[column])));
      rows += data.length;
      progress({ rows });
    }
    await writing.sync();
    signal.throwIfAborted();
    // the file is either complete or absent; a later run replaces it with the same report
    await rename(unfinished, file);
  } finally {
    await writing.close();
    await rm(unfinished, { force: true });
  }
  return { file, rows };
}

const worker = createWorker({
  url,
  auth: { clientId: process.env.CLIENT_ID ?? 'example-worker', credential: process.env.CLIENT_SECRET ?? '' },
  queues: ['reports'],
  concurrency: 4,
  handler: renderReport,
  onEvent: (event) => console.log(JSON.stringify(event)),
});
await worker.run();
