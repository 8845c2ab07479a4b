import { once } from 'node:events';
import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { expect } from 'chai';
import { startGateway, type TestGateway } from './gateway-harness.ts';

describe('Live notifications through the gateway', () => {
  let gateway: TestGateway;
  let service: ServerResponse;
  let lastEventId: string | string[] | undefined;
  before(async () => {
    gateway = await startGateway({
      readTimeoutSeconds: 1,
      services: {
        notifications: (incoming, response) => {
          if (incoming.url !== '/api/v1/notifications/stream') return; // never responds
          lastEventId = incoming.headers['last-event-id'];
          service = response;
          response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
        },
      },
    });
  });
  after(() => gateway.stop());

  it('arrive one by one, uncompressed, and outlast the time limit of other requests', async () => {
    const sent = request({
      port: gateway.port,
      host: '127.0.0.1',
      path: '/api/v1/notifications/stream',
      headers: { 'Accept-Encoding': 'gzip', 'Last-Event-ID': '41' },
      agent: false,
    }).end();
    const [stream] = (await once(sent, 'response')) as [IncomingMessage];
    expect(lastEventId).to.equal('41');
    expect(stream.headers).not.to.have.property('content-encoding');
    for (const event of ['id: 42\n\n', 'id: 43\n\n']) {
      service.write(event);
      const [chunk] = (await once(stream, 'data')) as [Buffer];
      expect(chunk.toString()).to.equal(event);
    }
    // a silence longer than one second, which ends other requests, does not end the stream
    const slow = await gateway.send({ path: '/api/v1/notifications' });
    expect(slow.status).to.equal(504);
    service.write('id: 44\n\n');
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    expect(chunk.toString()).to.equal('id: 44\n\n');
    sent.destroy();
  });

  it('close the connection to the service when the client disconnects', async () => {
    const sent = request({
      port: gateway.port,
      host: '127.0.0.1',
      path: '/api/v1/notifications/stream',
      agent: false,
    }).end();
    await once(sent, 'response');
    const gone = once(service, 'close');
    sent.destroy();
    await gone;
  });
});
