import { checkedSettings, clientOptions, readGrants, readJwks, type Grant } from './client-options.ts';
import { CommandFailed, readOptions, UsageError, type Command } from './command.ts';
import type { Commands } from './wire.ts';

type RegisteredClient = Awaited<ReturnType<Commands['clients']['list']>>[number];

/** Changes a registered client. Users' consents, its tokens and its secret are kept, unless keys replace the secret. */
export const changeClient: Command = {
  options:
    '--id <id> [--name <name>] [--redirect-uri <address> …] [--grant <audience>=<scope>,<scope> …] [--jwks <file>] …',
  does: `changes a client; its id, its secret and users' consents stay. Each option replaces the client's previous value:
give all redirect URIs, or all grants, that it should have. Omitted options change nothing.
--jwks replaces the keys or the secret. Also: --post-logout-redirect-uri, --own-grant, --introspect, --queue, --native`,
  async read(args) {
    const { id, ...given } = readOptions(args, clientOptions);
    if (id === undefined) throw new UsageError('--id is missing.');
    if (Object.keys(given).length === 0) throw new UsageError('Give at least one option besides --id.');
    const jwks = given.jwks === undefined ? undefined : readJwks(given.jwks);
    return async ({ clients }) => {
      const changed = await clients.change(id, (client) => changedClient(client, given, jwks));
      if (changed === undefined) {
        throw new CommandFailed(`no client ${id} was added; clients of OIDC_CLIENTS are changed in the configuration`);
      }
      return `changed ${id}${changed.isNative ? '\nIt is a native app: users approve each of its log-ins.' : ''}`;
    };
  },
};

type Given = {
  name?: string;
  grant?: string[];
  'own-grant'?: string[];
  'redirect-uri'?: string[];
  'post-logout-redirect-uri'?: string[];
  native?: boolean;
  introspect?: string[];
  queue?: string[];
};

function changedClient(
  client: RegisteredClient,
  given: Given,
  jwks: { keys: unknown[] } | undefined,
): RegisteredClient {
  const isForPeople = client.grant_types.includes('authorization_code');
  if (!isForPeople && (given['redirect-uri'] ?? given['own-grant']) !== undefined) {
    // the client's scopes apply on its own behalf; with a redirect URI, they would become scopes to which users consent
    throw new UsageError(
      `${client.client_id} acts for itself: its scopes are given by --grant. Add another client for users.`,
    );
  }
  const isForItself = client.grant_types.includes('client_credentials') || given['own-grant'] !== undefined;
  return checkedSettings(
    {
      ...client,
      client_name: given.name ?? client.client_name,
      jwks: jwks ?? client.jwks,
      // a key replaces the secret
      secret_hash: jwks === undefined ? client.secret_hash : undefined,
      grant_types: [
        ...client.grant_types.filter((type) => type !== 'client_credentials'),
        ...(isForItself ? (['client_credentials'] as const) : []),
      ],
      grants: changedGrants(client.grants, given),
      introspects: given.introspect ?? client.introspects,
      queues: given.queue ?? client.queues,
      redirect_uris: given['redirect-uri'] ?? client.redirect_uris,
      post_logout_redirect_uris: given['post-logout-redirect-uri'] ?? client.post_logout_redirect_uris,
      application_type: given.native === true ? 'native' : client.application_type,
    },
    'changed',
  );
}

/** Replaces the scopes to which users consent, and those that the client uses on its own behalf, independently of each other. */
function changedGrants(grants: readonly Grant[], { grant, 'own-grant': own }: Given): readonly Grant[] {
  const given = readGrants(grant ?? [], own ?? [], 'own_scopes');
  const people = grant === undefined ? grants : given;
  const itself = own === undefined ? grants : given;
  const audiences = new Set([...people, ...itself].map(({ audience }) => audience));
  return [...audiences].flatMap((audience) => {
    const scopes = people.find((one) => one.audience === audience)?.scopes ?? [];
    const ownScopes = itself.find((one) => one.audience === audience)?.own_scopes;
    const isNamed = grant?.some((text) => text.split('=')[0] === audience) ?? false;
    if (scopes.length === 0 && ownScopes === undefined && grant !== undefined && !isNamed) return [];
    return [{ audience, scopes, ...(ownScopes === undefined ? {} : { own_scopes: ownScopes }) }];
  });
}
