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

const names = Object.keys(defaultPorts) as (keyof SuitePorts)[];

/** The default ports, or consecutive ports from `TASKWIRE_PORT_BASE` upwards in the order above. */
export function configuredPorts(base: string | undefined): SuitePorts {
  if (base === undefined || base === '') return defaultPorts;
  const first = Number(base);
  if (!Number.isInteger(first) || first < 1024 || first + names.length > 65_536) {
    throw new Error(`TASKWIRE_PORT_BASE is ${base}; it must be a number from 1024 to ${65_536 - names.length}.`);
  }
  return numbered((index) => first + index);
}

/** Unused ports, for an additional suite on the same machine. */
export async function freeSuitePorts(): Promise<SuitePorts> {
  const free = await freePorts(names.length);
  return numbered((index) => free[index] ?? 0);
}

function numbered(port: (index: number) => number): SuitePorts {
  return Object.fromEntries(names.map((name, index) => [name, port(index)])) as SuitePorts;
}
