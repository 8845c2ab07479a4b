import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inheritedEnv, startPart, StartError, type Part } from './part.ts';
import { answers, isPortFree } from './ports.ts';

export type MailCatcherOptions = {
  dir: string;
  smtpPort: number;
  webPort: number;
  logFile?: string;
  /** Gives up the start. */
  signal?: AbortSignal;
};

export type MailCatcher = Part & {
  smtpUrl: string;
  /** the page; its API is under `/api` */
  webUrl: string;
};

/** Starts maildev on 127.0.0.1: takes every mail, keeps the last 1000 in memory and shows them on a web page. */
export async function startMailCatcher(o: MailCatcherOptions): Promise<MailCatcher> {
  const dir = resolve(o.dir);
  for (const port of [o.smtpPort, o.webPort]) {
    if (!(await isPortFree(port))) {
      throw new StartError(`The mail catcher cannot have port ${port}: another program listens on it.`);
    }
  }
  // dist/index.js is all that the package exports; its program is beside it
  const library = fileURLToPath(import.meta.resolve('maildev'));
  const program = join(dirname(library), 'bin', 'maildev.js');
  const ports = ['--smtp', String(o.smtpPort), '--web', String(o.webPort)];
  const part = await startPart({
    name: 'mail catcher',
    command: process.execPath,
    args: [program, ...ports, '--ip', '127.0.0.1', '--web-ip', '127.0.0.1', '--max-emails', '1000'],
    env: inheritedEnv(),
    logFile: o.logFile ?? join(dir, 'mail.log'),
    stopTimeoutMs: 2000,
    ready: async () => (await answers(o.smtpPort)) && (await answers(o.webPort)),
    readyTimeoutMs: 30_000,
    ...(o.signal && { signal: o.signal }),
  });
  return { ...part, smtpUrl: `smtp://127.0.0.1:${o.smtpPort}`, webUrl: `http://127.0.0.1:${o.webPort}` };
}
