import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Fault } from '../fault.ts';

function stopped(title: string, alert: string, name: string): Fault {
  return {
    title,
    alerts: [alert],
    isCause: true,
    async begin({ suite }) {
      const process = suite.process(name);
      await process.kill();
      return async () => await process.start();
    },
  };
}

/** A cause, as those below. */
export const frozenBroker: Fault = {
  title: 'RabbitMQ is frozen (SIGSTOP)',
  alerts: ['BrokerIsDown'],
  isCause: true,
  begin({ suite }) {
    const pid = suite.process('rabbitmq').pid() ?? 0;
    process.kill(pid, 'SIGSTOP');
    return Promise.resolve(() => Promise.resolve(process.kill(pid, 'SIGCONT')));
  },
};

/** Causes, each of which has many consequences: they happen one after the other. */
export const causeFaults: readonly Fault[] = [
  stopped('PostgreSQL is killed', 'PostgresIsDown', 'postgres'),
  stopped('nginx is killed', 'GatewayIsDown', 'gateway'),
  stopped('Tasks is killed', 'ServiceIsDown', 'tasks'),
];

/** Admits one request a minute from each address. */
export const limitedProbe: Fault = {
  title: 'the gateway admits hardly any request',
  alerts: ['ProbeIsLimited'],
  begin({ suite, gatewayConfig }) {
    const before = readFileSync(gatewayConfig, 'utf8');
    const load = (text: string) => {
      writeFileSync(gatewayConfig, text);
      process.kill(suite.process('gateway').pid() ?? 0, 'SIGHUP');
    };
    load(
      before
        .replace(/zone=requests:10m rate=\S+;/, 'zone=requests:10m rate=1r/m;')
        .replace(/zone=requests burst=\d+/, 'zone=requests burst=1'),
    );
    return Promise.resolve(() => Promise.resolve(load(before)));
  },
};

/** Faults of the monitoring itself, and one that restarts a part of it. */
export const monitoringFaults: readonly Fault[] = [
  {
    title: 'the disk of PostgreSQL has less free space than it needs',
    alerts: ['DatabaseDiskIsLow'],
    async begin(world) {
      await world.setDiskLimit(2);
      return async () => await world.setDiskLimit(0.5);
    },
  },
  {
    title: 'the probe has ended',
    alerts: ['TargetIsDown'],
    async begin({ suite }) {
      const probe = suite.process('probe');
      await probe.kill();
      return async () => await probe.start();
    },
  },
  {
    title: 'Prometheus finds no target of a job',
    alerts: ['JobIsMissing'],
    begin: (world) => {
      const file = join(world.monitoringDir, 'prometheus.yml');
      const before = readFileSync(file, 'utf8');
      const config = JSON.parse(before) as { scrape_configs: { job_name: string; static_configs: object[] }[] };
      for (const job of config.scrape_configs) if (job.job_name === 'rabbitmq-queues') job.static_configs = [];
      const load = (text: string) => {
        writeFileSync(file, text);
        process.kill(world.suite.process('prometheus').pid() ?? 0, 'SIGHUP');
      };
      load(JSON.stringify(config));
      return Promise.resolve(() => Promise.resolve(load(before)));
    },
  },
];
