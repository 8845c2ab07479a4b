import type { ClientScopes } from '@taskwire/contracts';
import type { AuditContext } from '../../domain/audit-context.ts';

/** A program that may request tokens. With neither keys nor a secret it is a public client, identified by PKCE alone. */
export type RegisteredClient = {
  client_id: string;
  client_name?: string | undefined;
  /** SHA-256 in base64url of a secret of 128 bits or more. */
  secret_hash?: string | undefined;
  /** Public keys that verify its assertions. */
  jwks?: { keys: readonly Record<string, unknown>[] } | undefined;
  grant_types: readonly ('authorization_code' | 'refresh_token' | 'client_credentials')[];
  /** The scopes that the client may request for each audience; read with `grantedScopes`. */
  grants: ClientScopes['grants'];
  /** Audiences that the client serves; it may introspect any token issued for them (RFC 7662). */
  introspects?: readonly string[] | undefined;
  /** The queues whose jobs the client may enqueue and execute. */
  queues?: readonly string[] | undefined;
  redirect_uris: readonly string[];
  post_logout_redirect_uris: readonly string[];
  application_type: 'web' | 'native';
};

/** Looks up clients. */
export type ClientDirectory = { find(id: string): Promise<object | undefined> };

/** Clients registered by command. Each change and its audit entry are committed together. */
export type StoredClients = {
  find(id: string): Promise<RegisteredClient | undefined>;
  list(): Promise<RegisteredClient[]>;
  /** The queues of the clients, except those of the clients with these ids. At most `limit`, sorted by character codes. */
  listQueues(o: { except: readonly string[]; limit: number }): Promise<string[]>;
  /** False if the id is already in use. */
  add(client: RegisteredClient, context: AuditContext): Promise<boolean>;
  /**
   * Replaces a client's settings with the result of `change`. Users' consents to the client are kept. `change` runs once, and nothing changes if it
   * throws. Undefined if no client has this id.
   */
  change(
    id: string,
    change: (client: RegisteredClient) => RegisteredClient,
    context: AuditContext,
  ): Promise<RegisteredClient | undefined>;
  /** Invalidates the previous secret at once. False if no client with this id has a secret. */
  setSecret(id: string, secretHash: string, context: AuditContext): Promise<boolean>;
  /** Removes a client and ends all consents that users gave it. False if no client has this id. */
  remove(id: string, context: AuditContext): Promise<boolean>;
};
