import { freePorts } from '@taskwire/process-supervisor';

/** The port of every process of the suite, all on 127.0.0.1. */
export type SuitePorts = {
  gateway: number;
  auth: number;
  tasks: number;
  notifications: number;
  mailPage: number;
  smtp: number;
  postgres: number;
  amqp: number;
  management: number;
  epmd: number;
  erlang: number;
};

/** The ports of the processes that `npm start -- --observe` adds, on 127.0.0.1. */
export type MonitoringPorts = {
  prometheus: number;
  alertmanager: number;
  /** The metrics of the gateway; also the UDP port of its access log. */
  gatewayExporter: number;
  probe: number;
  rabbitMetrics: number;
  /** The documents to which alerts link. */
  documents: number;
};

const defaultPorts: SuitePorts = {
  gateway: 8080,
  auth: 3001,
  tasks: 3002,
  notifications: 3003,
  mailPage: 1080,
  smtp: 1025,
  // below the ports that Linux (32768…) and macOS (49152…) assign to outgoing connections, one of which could otherwise have the port
  postgres: 25432,
  amqp: 26718,
  management: 26719,
  epmd: 26720,
  erlang: 26721,
};

const defaultMonitoringPorts: MonitoringPorts = {
  prometheus: 9090,
  alertmanager: 9093,
  gatewayExporter: 9145,
  probe: 9146,
  rabbitMetrics: 26722,
  documents: 9147,
};

const names = Object.keys(defaultPorts) as (keyof SuitePorts)[];
const monitoringNames = Object.keys(defaultMonitoringPorts) as (keyof MonitoringPorts)[];

/** The default ports, or consecutive ports from `TASKWIRE_PORT_BASE` upwards in the order above. */
export function configuredPorts(base: string | undefined): SuitePorts {
  if (base === undefined || base === '') return defaultPorts;
  const first = Number(base);
  if (!Number.isInteger(first) || first < 1024 || first + names.length + monitoringNames.length > 65_536) {
    throw new Error(
      `TASKWIRE_PORT_BASE is ${base}; it must be a number from 1024 to ${65_536 - names.length - monitoringNames.length}.`,
    );
  }
  return numbered(names, (index) => first + index);
}

/** The default ports for monitoring, or those that follow the ports of the suite. */
export function configuredMonitoringPorts(base: string | undefined): MonitoringPorts {
  if (base === undefined || base === '') return defaultMonitoringPorts;
  return numbered(monitoringNames, (index) => Number(base) + names.length + index);
}

/** Unused ports, for an additional suite on the same machine. */
export async function freeSuitePorts(): Promise<SuitePorts> {
  const free = await freePorts(names.length);
  return numbered(names, (index) => free[index] ?? 0);
}

/** Unused ports for the monitoring of an additional suite. */
export async function freeMonitoringPorts(): Promise<MonitoringPorts> {
  const free = await freePorts(monitoringNames.length);
  return numbered(monitoringNames, (index) => free[index] ?? 0);
}

function numbered<N extends string>(of: readonly N[], port: (index: number) => number): Record<N, number> {
  return Object.fromEntries(of.map((name, index) => [name, port(index)])) as Record<N, number>;
}
