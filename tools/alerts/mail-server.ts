import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';

/** The server's treatment of mails: it accepts them, refuses connections, or breaks the connection when a mail has arrived. */
export type MailMode = 'accept' | 'refuse' | 'break';

/** An SMTP server that keeps nothing, and whose faults leave a sender with a failure or without a response. */
export async function startMailServer(): Promise<{ url: string; set(mode: MailMode): void; close(): Promise<void> }> {
  let mode: MailMode = 'accept';
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    if (mode === 'refuse') return void socket.destroy();
    converse(socket, () => mode);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    set(wanted) {
      mode = wanted;
      // pooled connections would not notice
      for (const socket of sockets) socket.destroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function converse(socket: Socket, mode: () => MailMode): void {
  let text = '';
  let inMail = false;
  const say = (line: string) => socket.write(`${line}\r\n`);
  say('220 drill ESMTP');
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    for (;;) {
      const ending = inMail ? '\r\n.\r\n' : '\r\n';
      const at = text.indexOf(ending);
      if (at === -1) return;
      const command = text.slice(0, at).toUpperCase();
      text = text.slice(at + ending.length);
      if (inMail) {
        inMail = false;
        if (mode() === 'break') return void socket.destroy();
        say('250 accepted');
      } else if (command.startsWith('DATA')) {
        inMail = true;
        say('354 go on');
      } else if (command.startsWith('QUIT')) {
        socket.end('221 bye\r\n');
      } else say('250 ok');
    }
  });
}
