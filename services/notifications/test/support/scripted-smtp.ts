import { createServer, type AddressInfo, type Socket } from 'node:net';

/** The server's reaction at a stage: a response to send, silence, or closing the connection. */
export type Reaction = string | 'silence' | 'cut';

export type Script = {
  greeting?: Reaction;
  rcpt?: Reaction;
  /** After DATA; `354` by default. */
  data?: Reaction;
  /** The reaction after the end of the data, when the message has arrived completely. */
  end?: (nth: number) => Reaction | Promise<Reaction>;
};

export type ScriptedSmtp = {
  url: string;
  /** Messages received up to their end, oldest first. */
  arrived: readonly string[];
  /** The number of DATA commands received. */
  dataCommands(): number;
  connections(): number;
  follow(script: Script): void;
  stop(): Promise<void>;
};

/** Starts an SMTP server that misbehaves as scripted. */
export async function scriptedSmtp(first: Script = {}): Promise<ScriptedSmtp> {
  let script = first;
  let dataCommands = 0;
  let connections = 0;
  const arrived: string[] = [];
  const sockets = new Set<Socket>();

  function react(socket: Socket, reaction: Reaction): void {
    if (reaction === 'cut') socket.destroy();
    else if (reaction !== 'silence') socket.write(`${reaction}\r\n`);
  }

  const server = createServer((socket) => {
    sockets.add(socket);
    connections += 1;
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    let buffer = '';
    let inData = false;
    react(socket, script.greeting ?? '220 test');
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      buffer += chunk;
      for (;;) {
        const end = buffer.indexOf(inData ? '\r\n.\r\n' : '\r\n');
        if (end < 0) return;
        const part = buffer.slice(0, end);
        buffer = buffer.slice(end + (inData ? 5 : 2));
        if (inData) {
          inData = false;
          arrived.push(part);
          const nth = arrived.length;
          void Promise.resolve(script.end?.(nth) ?? '250 taken').then((reaction) => react(socket, reaction));
        } else {
          inData = command(socket, part);
        }
      }
    });
  });

  function command(socket: Socket, line: string): boolean {
    const verb = line.slice(0, 4).toUpperCase();
    if (verb === 'RCPT') react(socket, script.rcpt ?? '250 ok');
    else if (verb === 'DATA') {
      dataCommands += 1;
      const reaction = script.data ?? '354 go ahead';
      react(socket, reaction);
      return reaction.startsWith('354');
    } else react(socket, verb === 'QUIT' ? '221 bye' : '250 ok');
    return false;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    dataCommands: () => dataCommands,
    connections: () => connections,
    follow: (next) => void (script = next),
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
