// node report.js: a service that reads a task on its own behalf, directly from Tasks, because the gateway does not route calls between services
import { isProblem, m2m, Taskwire } from '@taskwire/client';

const tasks = new Taskwire({
  baseUrl: process.env.TASKS_URL ?? 'http://localhost:3002',
  auth: m2m({
    clientId: 'example-reports',
    credential: process.env.CLIENT_SECRET ?? '',
    resource: 'urn:taskwire:tasks',
    scope: 'tasks:read',
    issuerOrigin: process.env.TASKWIRE_URL ?? 'http://localhost:8080',
  }),
});

try {
  const task = await tasks.internal.task(process.env.TASK_ID ?? '');
  console.log(`${task.title}: ${task.state}, created by ${task.creator.name}`);
} catch (error) {
  if (!isProblem(error, 'getInternalTask', 'gone')) throw error;
  console.log('The task was deleted.');
}
