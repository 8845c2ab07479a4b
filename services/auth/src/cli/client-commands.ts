import { createHash, randomBytes } from 'node:crypto';
import { audiences, everyService } from '@taskwire/contracts';
import { changeClient } from './change-client.ts';
import { checkedSettings, clientOptions, readGrants, readJwks } from './client-options.ts';
import { clientFaults } from '../env.ts';
import type { Commands } from './wire.ts';
import { CommandFailed, readOptions, UsageError, type Command } from './command.ts';

const flag = { type: 'boolean' } as const;

export const clientCommands: Readonly<Record<string, Command>> = {
  'client add': {
    options: '--id <id> [--name <name>] (--secret | --jwks <file> | --public) --grant <audience>=<scope>,<scope> …',
    does: `registers a program that may request tokens; --secret prints a new secret, once.
For logging users in: --redirect-uri <address> … [--post-logout-redirect-uri <address> …] [--native]
A public client with a loopback address, and any client with a custom scheme, is native without --native.
For itself: without a redirect URI, or with --own-grant <audience>=<scope>,<scope> … or --own-name beside one.
To introspect other clients' tokens for its own service: --introspect <audience> …
For jobs (jobs:enqueue, jobs:work), the queues that it may use: --queue <queue> …
${scopeTable()}`,
    async read(args) {
      const given = readOptions(args, { ...clientOptions, secret: flag, public: flag, 'own-name': flag });
      if ([given.secret, given.public, given.jwks].filter(Boolean).length !== 1) {
        throw new UsageError('Give one of --secret, --jwks and --public.');
      }
      const secret = given.secret === true ? newSecret() : undefined;
      const isInteractive = given['redirect-uri'] !== undefined;
      const isForItself = !isInteractive || given['own-name'] === true || given['own-grant'] !== undefined;
      const client = checkedSettings(
        {
          client_id: given.id,
          client_name: given.name,
          secret_hash: secret === undefined ? undefined : hashOf(secret),
          jwks: given.jwks === undefined ? undefined : readJwks(given.jwks),
          grant_types: [
            ...(isInteractive ? ['authorization_code', 'refresh_token'] : []),
            ...(isForItself ? ['client_credentials'] : []),
          ],
          grants: readGrants(given.grant ?? [], given['own-grant'] ?? [], isInteractive ? 'own_scopes' : 'scopes'),
          introspects: given.introspect,
          queues: given.queue,
          redirect_uris: given['redirect-uri'] ?? [],
          post_logout_redirect_uris: given['post-logout-redirect-uri'] ?? [],
          application_type: given.native === true ? 'native' : 'web',
        },
        'added',
      );
      return async ({ clients }) => {
        const added = await clients.add(client);
        if (added === undefined) throw new CommandFailed(`the client ${client.client_id} already exists`);
        const withSecret = secret === undefined ? '' : ` with the secret ${secret}`;
        const asNative = added.isNative ? '\nIt is a native app: users approve each of its log-ins.' : '';
        return `added ${client.client_id}${withSecret}${asNative}`;
      };
    },
  },
  'client change': changeClient,
  'client list': {
    options: '',
    does: 'lists the clients that were added; clients of OIDC_CLIENTS are in the configuration',
    async read(args) {
      readOptions(args, {});
      return async ({ clients }) =>
        (await clients.list())
          .flatMap((client) => [
            describe(client),
            ...clientFaults(client).map(({ path, message }) => `  not usable: ${path.join('.')}: ${message}`),
          ])
          .join('\n');
    },
  },
  'client rotate-secret': {
    options: '--id <id>',
    does: 'prints a new secret, once; the previous one is invalid from then on',
    async read(args) {
      const id = requiredId(args);
      const secret = newSecret();
      return async ({ clients }) => {
        if (!(await clients.setSecret(id, hashOf(secret)))) {
          throw new CommandFailed(`no client ${id} has a secret`);
        }
        return `${id} has the new secret ${secret}`;
      };
    },
  },
  'client remove': {
    options: '--id <id>',
    does: 'removes a client; consents to it end at once, its access tokens within ten minutes',
    async read(args) {
      const id = requiredId(args);
      return async ({ clients }) => {
        if (!(await clients.remove(id))) throw new CommandFailed(`no client ${id} was added`);
        return `removed ${id}`;
      };
    },
  },
};

/** Returns a table of the audiences with their scopes, for users and for programs on their own behalf. */
function scopeTable(): string {
  const lines = Object.entries(audiences).map(
    ([audience, { user, service }]) =>
      `  ${audience}: for users ${user.join(', ')}; for itself ${service.join(', ') || 'none'}`,
  );
  const every = `  ${everyService}: the scopes of all of them, for front ends that call every service with one token`;
  return [
    'Audiences and their scopes:',
    ...lines,
    every,
    'admin lets the program administer on behalf of admins.',
  ].join('\n');
}

type Registered = Awaited<ReturnType<Commands['clients']['list']>>[number];

function describe({ client_id: id, jwks, secret_hash: hash, grants, queues, redirect_uris: uris }: Registered): string {
  const kind = jwks === undefined ? (hash === undefined ? 'public' : 'secret') : 'keys';
  const allowed = grants.flatMap(({ audience, scopes, own_scopes: own }) => [
    `${audience}=${scopes.join(',')}`,
    ...(own === undefined ? [] : [`own:${audience}=${own.join(',')}`]),
  ]);
  return [id, kind, ...allowed, ...(queues ?? []).map((queue) => `queue:${queue}`), ...uris].join('  ');
}

function requiredId(args: string[]): string {
  const { id } = readOptions(args, { id: clientOptions.id });
  if (id === undefined) throw new UsageError('--id is missing.');
  return id;
}

function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function hashOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
