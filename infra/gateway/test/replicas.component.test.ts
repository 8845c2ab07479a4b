import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { startGateway, type TestGateway } from './gateway-harness.ts';

describe('Two replicas of a service behind the gateway', () => {
  let gateway: TestGateway;
  let replicas: Server[];
  const addressOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;

  before(async () => {
    replicas = ['first', 'second'].map((name) => createServer((_request, response) => response.end(name)));
    for (const server of replicas) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const tasks = replicas.map(addressOf);
    gateway = await startGateway({ upstreams: { auth: tasks, tasks, notifications: tasks } });
  });
  after(async () => {
    for (const server of replicas) server.close().closeAllConnections();
    await gateway.stop();
  });

  it('both get requests, and while one is stopped the other gets all of them, including writes', async () => {
    const post = async () => await gateway.send({ method: 'POST', path: '/api/v1/tasks', body: '{}' });
    const texts = await Promise.all(Array.from({ length: 8 }, async () => (await post()).text));
    expect(new Set(texts)).to.deep.equal(new Set(['first', 'second']));
    replicas[0]?.close().closeAllConnections();
    const answers = await Promise.all(Array.from({ length: 8 }, post));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).to.deep.equal(new Set(['200 second']));
  });
});
