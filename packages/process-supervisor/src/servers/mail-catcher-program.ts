// node mail-catcher-program.ts <SMTP port> <web port> <folder>
// Runs maildev on 127.0.0.1 and stores e-mails in the folder, which only the owner of the process can read.
import { Server, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { createLogger, createOrchestrator, getDefaultConfig, setupShutdownHandlers } from 'maildev';
import { isOwnRequest } from '../own-request.ts';

const [smtp, web] = process.argv.slice(2, 4).map(Number);
const [, , , , mailDirectory] = process.argv;
if (smtp === undefined || web === undefined || mailDirectory === undefined)
  throw new Error('usage: mail-catcher-program.ts <SMTP port> <web port> <folder>');

// maildev creates world-readable files and folders
process.umask(0o077);
guardServers(web);
const logger = createLogger({ verbose: false, silent: false });
const loopback = { ip: '127.0.0.1', webIp: '127.0.0.1' };
const orchestrator = createOrchestrator({
  // the last thousand e-mails are enough for a developer, and keep the page fast
  config: { ...getDefaultConfig(), ...loopback, smtp, web, mailDirectory, maxEmails: 1_000 },
  logger,
});
setupShutdownHandlers({ orchestrator, logger });
await orchestrator.start();

/**
 * Restricts requests to the page's own origin and to programs on this machine. maildev itself responds to any request, and lets every origin read the
 * responses: any web page that a developer visits could read the developer's e-mails, including links that set passwords.
 */
function guardServers(port: number): void {
  const emit = Server.prototype.emit as (this: Server, event: string | symbol, ...args: unknown[]) => boolean;
  Server.prototype.emit = function (this: Server, event: string | symbol, ...args: unknown[]): boolean {
    const isRequest = event === 'request' || event === 'upgrade' || event === 'connect';
    if (isRequest && !isOwnRequest((args[0] as IncomingMessage).headers, port)) {
      refuse(event, args[1] as ServerResponse & Duplex, port);
      return true;
    }
    return emit.call(this, event, ...args);
  } as typeof Server.prototype.emit;
}

function refuse(event: string, answer: ServerResponse & Duplex, port: number): void {
  if (event === 'request') answer.writeHead(403, { 'content-type': 'text/plain' });
  answer.end(event === 'request' ? `Use http://localhost:${port} directly.\n` : 'HTTP/1.1 403 Forbidden\r\n\r\n');
}
