import { chmodSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inheritedEnv, startProcess, StartError, type ManagedProcess } from '../managed-process.ts';
import { answers, isPortFree } from '../ports.ts';

export type MailCatcherOptions = {
  /** Contains the e-mails, and the log unless `logFile` is given. */
  dir: string;
  smtpPort: number;
  webPort: number;
  logFile?: string;
  /** Aborts the start. */
  signal?: AbortSignal;
};

export type MailCatcher = ManagedProcess & {
  smtpUrl: string;
  /** The URL of the page; its API is under `/api`. */
  webUrl: string;
};

const program = fileURLToPath(new URL('mail-catcher-program.ts', import.meta.url));

/**
 * Starts maildev on 127.0.0.1. It accepts every e-mail, keeps the last 1000 across restarts in `dir`, which only its owner can read, and shows them on a
 * web page. The page accepts only requests to its own address and from its own origin.
 */
export async function startMailCatcher(o: MailCatcherOptions): Promise<MailCatcher> {
  const dir = resolve(o.dir);
  for (const port of [o.smtpPort, o.webPort]) {
    if (!(await isPortFree(port))) {
      throw new StartError(`The mail catcher cannot use port ${port}: another program listens on it.`);
    }
  }
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700); // also corrects the mode of a folder created by an older version
  const child = await startProcess({
    name: 'mail catcher',
    command: process.execPath,
    args: [program, String(o.smtpPort), String(o.webPort), join(dir, 'messages')],
    env: inheritedEnv(),
    logFile: o.logFile ?? join(dir, 'mail.log'),
    stopTimeoutMs: 2000,
    ready: async () => (await answers(o.smtpPort)) && (await answers(o.webPort)),
    readyTimeoutMs: 30_000,
    ...(o.signal && { signal: o.signal }),
  });
  return { ...child, smtpUrl: `smtp://127.0.0.1:${o.smtpPort}`, webUrl: `http://127.0.0.1:${o.webPort}` };
}
