import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { runSmoke } from '../smoke-flow.ts';

/** A fake installation that responds normally, except to the given requests. */
function installation(broken: Readonly<Record<string, [number, unknown]>>): { server: Server; requests: string[] } {
  const requests: string[] = [];
  const session = {
    access_token: 'a',
    refresh_token: 'r',
    expires_in: 600,
    user: { id: 'u', email: 'e', name: 'N', role: 'member' },
  };
  const notified = ['task.assigned', 'task.completed'].map((type) => ({ task_id: 't', type }));
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const name = `${request.method} ${request.url?.split('?')[0]}`;
      requests.push(name);
      const isEarly = body.includes('completed') && !requests.includes('in_progress');
      if (body.includes('in_progress')) requests.push('in_progress');
      const answers: Record<string, [number, unknown]> = {
        'POST /api/v1/auth/login': [200, session],
        'POST /api/v1/tasks': [201, { id: 't' }],
        'GET /api/v1/notifications': [200, { data: notified }],
        'POST /api/v1/tasks/t/transition': isEarly
          ? [422, { code: 'illegal_transition' }]
          : [200, { state: 'completed' }],
        'DELETE /api/v1/tasks/t': [204, undefined],
        ...broken,
      };
      const [status, answer] = answers[name] ?? [404, {}];
      response.writeHead(status).end(answer === undefined ? '' : JSON.stringify(answer));
    });
  });
  return { server, requests };
}

async function smoke(broken: Readonly<Record<string, [number, unknown]>> = {}) {
  const { server, requests } = installation(broken);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const account = { email: 'e', password: 'p' };
  const steps: string[] = [];
  const fault = await runSmoke({ url, manager: account, member: account, passed: (step) => steps.push(step) }).catch(
    (error: unknown) => error,
  );
  server.close();
  server.closeAllConnections();
  return { fault, steps, requests };
}

describe('The smoke test', () => {
  it('passes the main flow and deletes its task', async () => {
    const { fault, steps, requests } = await smoke();
    expect(fault).to.equal(undefined);
    expect(steps).to.have.lengthOf(6);
    expect(requests.at(-1)).to.equal('DELETE /api/v1/tasks/t');
  });

  it('fails when a log-in fails, or an illegal transition is accepted; the task is deleted anyway (canary)', async () => {
    expect((await smoke({ 'POST /api/v1/auth/login': [503, {}] })).fault).to.be.instanceOf(Error);
    const { fault, requests } = await smoke({ 'POST /api/v1/tasks/t/transition': [200, { state: 'completed' }] });
    expect(String(fault)).to.include('an illegal transition got no refusal');
    expect(requests.at(-1)).to.equal('DELETE /api/v1/tasks/t');
  });
});
