import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { freePorts, startMailCatcher, type MailCatcher } from '../src/index.ts';
import { scratchFolder } from './scratch.ts';

type Caught = { id: string; subject: string };

describe('A local mail catcher', function () {
  this.timeout(60_000);
  const scratch = scratchFolder();
  const started: MailCatcher[] = [];
  let ports: number[];
  let catcher: MailCatcher;

  const start = async (name: string, [smtpPort = 0, webPort = 0]: number[]) => {
    const one = await startMailCatcher({ dir: join(scratch.dir, name), smtpPort, webPort });
    started.push(one);
    return one;
  };
  before(async () => {
    // as an earlier version created it
    mkdirSync(join(scratch.dir, 'first'), { mode: 0o755 });
    ports = await freePorts(2);
    catcher = await start('first', ports);
  });
  after(async () => {
    await Promise.all(started.map((one) => one.stop()));
    scratch.remove();
  });

  const caught = async (by: MailCatcher) => (await (await fetch(`${by.webUrl}/api/email`)).json()) as Caught[];

  it('keeps its e-mails in its own folder, readable only by its own user', async () => {
    await send(catcher, 'Reset your password');
    expect((await caught(catcher)).map(({ subject }) => subject)).to.deep.equal(['Reset your password']);
    const dir = join(scratch.dir, 'first');
    expect(statSync(dir).mode & 0o777).to.equal(0o700);
    const messages = readdirSync(join(dir, 'messages')).filter((file) => file.endsWith('.eml'));
    expect(messages).to.have.length(1);
    for (const file of messages) expect(statSync(join(dir, 'messages', file)).mode & 0o077).to.equal(0);
  });

  it('keeps its e-mails separate from those of another mail catcher', async () => {
    const other = await start('second', await freePorts(2));
    await send(other, 'Of the second');
    await fetch(`${other.webUrl}/api/email/all`, { method: 'DELETE' });
    expect(await caught(other)).to.deep.equal([]);
    expect(await caught(catcher)).to.have.length(1);
    const { id } = (await caught(catcher))[0] ?? { id: '' };
    expect(await (await fetch(`${catcher.webUrl}/api/email/${id}/source`)).text()).to.include('Reset your password');
  });

  it('keeps its e-mails across a restart', async () => {
    await catcher.stop();
    catcher = await start('first', ports);
    expect((await caught(catcher)).map(({ subject }) => subject)).to.deep.equal(['Reset your password']);
  });

  /** Sends a request with the headers that a browser adds to requests from another site's page. */
  const ask = (
    headers: Record<string, string>,
    method = 'GET',
    path = '/api/email',
  ): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: ports[1], path, method, headers }, (answer) => {
        text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
      });
      sent.once('error', reject);
      sent.end();
    });

  it('accepts requests to its own addresses, from programs and from its own page', async () => {
    for (const address of ['localhost', '127.0.0.1', 'LOCALHOST']) {
      const host = `${address}:${ports[1]}`;
      expect(await ask({ host }), host).to.have.property('status', 200);
      expect(await ask({ host, origin: `http://${host.toLowerCase()}` }), host).to.have.property('status', 200);
    }
    expect((await ask({ host: `localhost:${ports[1]}`, accept: 'text/html' }, 'GET', '/')).body).to.include('<html');
  });

  it("rejects requests under any other name, such as one in an attacker's DNS", async () => {
    for (const host of [
      'evil.example',
      `evil.example:${ports[1]}`,
      `localhost.evil.example:${ports[1]}`,
      'localhost',
      '127.0.0.1',
    ]) {
      for (const method of ['GET', 'DELETE', 'OPTIONS']) {
        const { status, body } = await ask({ host }, method);
        expect([403, 400], `${method} ${host}`).to.include(status);
        expect(body).not.to.include('Reset');
      }
    }
  });

  it('rejects pages from another origin, even over a WebSocket', async () => {
    const host = `localhost:${ports[1]}`;
    for (const origin of [
      'https://evil.example',
      'null',
      `https://${host}`,
      `http://localhost:1`,
      `http://${host}.evil.example`,
    ]) {
      for (const path of ['/', '/api/email', '/socket.io/?EIO=4&transport=polling']) {
        expect(await ask({ host, origin }, 'GET', path), `${origin} ${path}`).to.have.property('status', 403);
      }
      expect(await upgrade(ports[1] ?? 0, host, origin), origin).to.match(/^HTTP\/1\.1 403 /);
    }
    expect(await upgrade(ports[1] ?? 0, host, `http://${host}`)).to.match(/^HTTP\/1\.1 101 /);
    expect(await caught(catcher)).to.have.length(1);
  });
});

function send(to: MailCatcher, subject: string): Promise<void> {
  const { port, hostname: host } = new URL(to.smtpUrl);
  const lines = [
    'EHLO test',
    'MAIL FROM:<a@example.org>',
    'RCPT TO:<b@example.org>',
    'DATA',
    `Subject: ${subject}\r\n\r\nText\r\n.`,
    'QUIT',
  ];
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), host);
    socket.on('error', reject).on('close', () => (lines.length === 0 ? resolve() : reject(new Error('It hung up.'))));
    // a response ends with a line whose code is followed by a space
    socket.on('data', (answer: Buffer) => {
      const line = /^\d{3} /m.test(answer.toString()) ? lines.shift() : undefined;
      if (line !== undefined) socket.write(`${line}\r\n`);
    });
  });
}

async function upgrade(port: number, host: string, origin: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
  );
  const first = await new Promise<string>((resolve) =>
    socket.once('data', (chunk: Buffer) => resolve(chunk.toString())),
  );
  socket.destroy();
  return first;
}
