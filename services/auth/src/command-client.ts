import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { clientSettings } from './env.ts';
import { CommandFailed, readOptions, UsageError, type Command } from './command-line.ts';

const option = { type: 'string' } as const;
const list = { type: 'string', multiple: true } as const;
const flag = { type: 'boolean' } as const;

export const clientCommands: Readonly<Record<string, Command>> = {
  'client add': {
    options: '--id <id> [--name <name>] (--secret | --jwks <file> | --public) --grant <audience>=<scope>,<scope> …',
    does: `registers a program that may ask for tokens; --secret prints a new secret, once.
For people who log in: --redirect-uri <address> … [--post-logout-redirect-uri <address> …] [--native]
For itself: without a redirect address, or with --own-name beside one.
To ask about tokens of others for the service that it is: --introspect <audience> …`,
    async read(args) {
      const given = readOptions(args, {
        id: option,
        name: option,
        secret: flag,
        public: flag,
        jwks: option,
        grant: list,
        'redirect-uri': list,
        'post-logout-redirect-uri': list,
        native: flag,
        'own-name': flag,
        introspect: list,
      });
      if ([given.secret, given.public, given.jwks].filter(Boolean).length !== 1) {
        throw new UsageError('Give one of --secret, --jwks and --public.');
      }
      const secret = given.secret === true ? newSecret() : undefined;
      const isInteractive = given['redirect-uri'] !== undefined;
      const client = settings({
        client_id: given.id,
        client_name: given.name,
        ...(secret === undefined ? {} : { secret_hash: hashOf(secret) }),
        ...(given.jwks === undefined ? {} : { jwks: readJwks(given.jwks) }),
        grant_types: [
          ...(isInteractive ? ['authorization_code', 'refresh_token'] : []),
          ...(!isInteractive || given['own-name'] === true ? ['client_credentials'] : []),
        ],
        grants: (given.grant ?? []).map(readGrant),
        introspects: given.introspect,
        redirect_uris: given['redirect-uri'] ?? [],
        post_logout_redirect_uris: given['post-logout-redirect-uri'] ?? [],
        application_type: given.native === true ? 'native' : 'web',
      });
      return async ({ clients }) => {
        if (!(await clients.add(client))) throw new CommandFailed(`there is a client ${client.client_id} already`);
        return secret === undefined
          ? `added ${client.client_id}`
          : `added ${client.client_id} with the secret ${secret}`;
      };
    },
  },
  'client list': {
    options: '',
    does: 'shows the clients that were added; those of OIDC_CLIENTS are in the configuration',
    async read(args) {
      readOptions(args, {});
      return async ({ clients }) =>
        (await clients.list())
          .map(({ client_id: id, jwks, secret_hash: hash, grants, redirect_uris: uris }) => {
            const kind = jwks === undefined ? (hash === undefined ? 'public' : 'secret') : 'keys';
            const allowed = grants.map(({ audience, scopes }) => `${audience}=${scopes.join(',')}`);
            return [id, kind, ...allowed, ...uris].join('  ');
          })
          .join('\n');
    },
  },
  'client rotate-secret': {
    options: '--id <id>',
    does: 'prints a new secret, once; the one before is worth nothing from then on',
    async read(args) {
      const id = requiredId(args);
      const secret = newSecret();
      return async ({ clients }) => {
        if (!(await clients.setSecret(id, hashOf(secret)))) {
          throw new CommandFailed(`there is no client ${id} with a secret`);
        }
        return `${id} has the new secret ${secret}`;
      };
    },
  },
  'client remove': {
    options: '--id <id>',
    does: 'removes a client; what people allowed it ends at once, its access tokens within ten minutes',
    async read(args) {
      const id = requiredId(args);
      return async ({ clients }) => {
        if (!(await clients.remove(id))) throw new CommandFailed(`there is no client ${id}`);
        return `removed ${id}`;
      };
    },
  },
};

function requiredId(args: string[]): string {
  const { id } = readOptions(args, { id: option });
  if (id === undefined) throw new UsageError('--id is missing.');
  return id;
}

function settings(client: object) {
  const result = clientSettings.safeParse(client);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `  ${[...path, message].join(' ')}`);
  throw new UsageError(`The client cannot be added:\n${faults.join('\n')}`);
}

function readGrant(text: string): { audience: string; scopes: string[] } {
  const [audience = '', scopes = ''] = text.split('=', 2);
  return { audience, scopes: scopes.split(',').filter(Boolean) };
}

/** A JWKS, or one JWK. @throws UsageError. */
function readJwks(file: string): { keys: unknown[] } {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8')) as { keys?: unknown[] };
    return { keys: read.keys ?? [read] };
  } catch (cause) {
    throw new UsageError(`${file} has no JSON Web Key Set.`, { cause });
  }
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
