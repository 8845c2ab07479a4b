import type { ClientScopes } from '@taskwire/contracts';
import type { Occasion } from './audit.ts';

/** A program that may ask for tokens. With neither keys nor a secret it is public, and is known by PKCE alone. */
export type RegisteredClient = {
  client_id: string;
  client_name?: string | undefined;
  /** SHA-256 in base64url of a secret of 128 bits or more. */
  secret_hash?: string | undefined;
  /** Public keys that its assertions verify with. */
  jwks?: { keys: readonly Record<string, unknown>[] } | undefined;
  grant_types: readonly ('authorization_code' | 'refresh_token' | 'client_credentials')[];
  /** What it may ask for at each audience; `grantedScopes` reads it. */
  grants: ClientScopes['grants'];
  /** Audiences that it serves: tokens of any client for them it may ask about (RFC 7662). */
  introspects?: readonly string[] | undefined;
  redirect_uris: readonly string[];
  post_logout_redirect_uris: readonly string[];
  application_type: 'web' | 'native';
};

/** Where clients are looked up. */
export type ClientDirectory = { find(id: string): Promise<object | undefined> };

/** Clients that were registered by command. Each change and its entry in the audit log become true together. */
export type StoredClients = {
  find(id: string): Promise<RegisteredClient | undefined>;
  list(): Promise<RegisteredClient[]>;
  /** False when there is one with this id. */
  add(client: RegisteredClient, by: Occasion): Promise<boolean>;
  /**
   * Replaces the settings of a client by what `change` makes of them; what people allowed it stays. `change` runs once, and nothing changes when it throws.
   * Undefined when there is none with this id.
   */
  change(
    id: string,
    change: (client: RegisteredClient) => RegisteredClient,
    by: Occasion,
  ): Promise<RegisteredClient | undefined>;
  /** The secret before it is worth nothing from then on. False when there is no such client with a secret. */
  setSecret(id: string, secretHash: string, by: Occasion): Promise<boolean>;
  /** Removes a client and ends all that users allowed it. False when there is none with this id. */
  remove(id: string, by: Occasion): Promise<boolean>;
};
