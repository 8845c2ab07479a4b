import type { ServiceName } from './secrets.ts';

/** External servers that replace the suite's own. */
export type ExternalServers = {
  databases: Partial<Record<ServiceName, string>>;
  amqpUrl?: string;
  /** The management API of the broker of `amqpUrl`, with an administrator's login. It is used to set the policies of the queues. */
  managementUrl?: string;
  smtpUrl?: string;
};

/**
 * Reads the variables listed in .env.example.
 * @throws an error that names the variable that is not a valid URL of its kind.
 */
export function externalServers(env: Readonly<Record<string, string | undefined>>): ExternalServers {
  const read = (name: string, ...protocols: string[]): string | undefined => {
    const value = env[name];
    if (value === undefined || value === '') return undefined;
    if (!protocols.includes(URL.parse(value)?.protocol ?? '')) {
      throw new Error(`${name} must be a URL that begins with ${protocols.map((one) => `${one}//`).join(' or ')}.`);
    }
    return value;
  };
  const database = (name: string) => read(name, 'postgres:', 'postgresql:');
  return defined({
    databases: defined({
      auth: database('AUTH_DATABASE_URL'),
      tasks: database('TASKS_DATABASE_URL'),
      notifications: database('NOTIFICATIONS_DATABASE_URL'),
    }),
    amqpUrl: read('AMQP_URL', 'amqp:', 'amqps:'),
    managementUrl: read('RABBITMQ_MANAGEMENT_URL', 'http:', 'https:'),
    smtpUrl: read('SMTP_URL', 'smtp:', 'smtps:'),
  });
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> } & {
  [K in keyof T as undefined extends T[K] ? never : K]: T[K];
};

function defined<T extends object>(values: T): Defined<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
}
