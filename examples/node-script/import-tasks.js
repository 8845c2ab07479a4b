// node import-tasks.js: creates a task for each line of tasks.txt. Repeating a run creates no task twice.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { passwordSession, Taskwire } from '@taskwire/client';

const session = passwordSession();
const tw = new Taskwire({ baseUrl: process.env.TASKWIRE_URL ?? 'http://localhost:8080', auth: session });
await session.login('manager@taskwire.test', 'plum-kettle-orbit');

let created = 0;
for (const title of readFileSync('tasks.txt', 'utf8').split('\n').filter(Boolean)) {
  // the key is derived from the line, so repeating a line does not create a second task
  const idempotencyKey = createHash('sha256').update(title).digest('hex');
  const { value, replayed } = await tw.tasks.create({ title }, { idempotencyKey }).withResponse();
  console.log(`${replayed ? 'known' : 'created'}: ${value.title}`);
  if (!replayed) created += 1;
}
console.log(`${created} created`);
