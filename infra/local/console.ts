import { relative } from 'node:path';
import { onCall } from './monitoring.ts';
import { demoPassword, demoPeople } from './people.ts';
import type { MonitoringPorts } from './ports.ts';
import type { Progress } from './process-graph.ts';
import type { Suite } from './suite.ts';
import type { ProcessEvent } from './supervised-process.ts';

/** Writes lines prefixed with the seconds since the start. */
export type Say = (text: string) => void;

export function timedSay(): Say {
  const began = performance.now();
  return (text) => {
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(6);
    for (const line of text.split('\n')) console.log(`[${seconds} s] ${line}`);
  };
}

export function sayProgress(say: Say): (progress: Progress) => void {
  return ({ name, state, tookMs }) => {
    say(state === 'starting' ? `${name.padEnd(22)} …` : `${name.padEnd(22)} ready  (${(tookMs / 1000).toFixed(1)} s)`);
  };
}

export function sayEvents(say: Say, cwd: string): (event: ProcessEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'exited':
        say(`${event.process} ended ${event.how}. The last lines of ${relative(cwd, event.logFile)}:`);
        say(event.lastLines.replace(/^/gm, '  | '));
        break;
      case 'restarting':
        say(`${event.process} will be restarted in ${(event.inMs / 1000).toFixed(1)} s`);
        break;
      case 'restarted':
        say(`${event.process} was restarted  (${(event.tookMs / 1000).toFixed(1)} s)`);
        break;
      case 'failed':
        say(`${event.process} did not start: ${event.reason}`);
        break;
    }
  };
}

/** Describes settings that suit only development, so that no one mistakes them for the defaults. */
export function settingsText(settings: Readonly<Record<string, string>>): string {
  const list = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return `settings for development: ${list.join(', ')}
an installation has REGISTRATION=off, AUTH_REQUIRE_VERIFIED_EMAIL=on and no CORS_ORIGINS unless it says otherwise`;
}

/** Lists all addresses, the users who can log in, and suggestions to try. */
export function welcome(o: {
  suite: Suite;
  monitoring: MonitoringPorts | undefined;
  dir: string;
  cwd: string;
  own: { postgres: boolean; rabbitmq: boolean; mail: boolean };
}): string {
  const { suite, monitoring, dir, cwd, own } = o;
  const at = (database: URL) => `${database.host}${database.pathname}`;
  const rows: [string, string, string][] = [
    ['gateway', suite.url, 'the API is under /api/v1'],
    ['API reference', `${suite.url}/docs`, ''],
    ['auth', suite.serviceUrl('auth'), '/health /ready /metrics'],
    ['tasks', suite.serviceUrl('tasks'), '/health /ready /metrics'],
    ['notifications', suite.serviceUrl('notifications'), '/health /ready /metrics'],
    ['mail', own.mail ? suite.mailPageUrl : 'external', own.mail ? `SMTP at ${new URL(suite.smtpUrl).host}` : ''],
    [
      'RabbitMQ',
      new URL(suite.amqpUrl('operator')).host,
      own.rabbitmq ? `page: ${new URL(suite.managementUrl).origin}` : 'external',
    ],
    [
      'PostgreSQL',
      at(new URL(suite.databaseUrl('auth'))),
      own.postgres ? 'taskwire_tasks, taskwire_notifications' : 'external',
    ],
    ...(monitoring === undefined ? [] : monitoringRows(monitoring)),
    ['logs', `${relative(cwd, dir)}/logs/`, 'or start with: npm start -- --logs'],
    ['passwords', `${relative(cwd, dir)}/secrets.json`, "databases and RabbitMQ's page (login taskwire)"],
  ];
  const people = demoPeople.map(({ email, role }) => `  ${email.padEnd(24)} ${role}`);
  return [
    '',
    ...rows.map(([name, where, note]) => `  ${name.padEnd(15)} ${where.padEnd(40)} ${note}`.trimEnd()),
    '',
    `Demo logins, all with the password ${demoPassword}:`,
    ...people,
    '',
    'Try in another terminal:',
    `  npm run demo`,
    `  curl -s ${suite.url}/api/v1/auth/login -H 'content-type: application/json' -d '{"email":"manager@taskwire.test","password":"${demoPassword}"}'`,
    `  curl -s ${suite.serviceUrl('tasks')}/ready`,
    '',
    'Ctrl-C stops everything.',
    '',
  ].join('\n');
}

function monitoringRows({ prometheus, alertmanager, documents }: MonitoringPorts): [string, string, string][] {
  return [
    ['Prometheus', `http://localhost:${prometheus}`, 'metrics, objectives and alerts'],
    ['Alertmanager', `http://localhost:${alertmanager}`, `mails to ${onCall}`],
    ['runbooks', `http://localhost:${documents}/docs/runbooks/alerts.md`, 'what to do about each alert'],
  ];
}
