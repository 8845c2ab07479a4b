import { schemas, scopeFaults, type ClientScopes } from '@taskwire/contracts';
import { databaseEnv, fields, serviceFields } from '@taskwire/env';
import { z } from 'zod';

export const secret32 = z
  .string()
  .refine(
    (text) => /^[A-Za-z0-9+/]{43}=$/.test(text),
    'must be 32 random bytes in base64, as from: openssl rand -base64 32',
  )
  .transform((text) => Buffer.from(text, 'base64'))
  .describe('32 random bytes in base64 that the signing keys are sealed with, as from: openssl rand -base64 32');

/** Compared character by character later, so patterns aren't supported. A custom scheme of an app contains a dot (RFC 8252 section 7.1). */
const redirectUri = z.string().refine((text) => {
  const url = URL.parse(text);
  if (url === null || /[#*\s]/.test(text)) return false;
  if (url.protocol === 'http:') return ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return url.protocol === 'https:' || url.protocol.includes('.');
}, "must be https, http on localhost, or an app's own scheme such as org.example.app:/callback; without fragment or wildcard");

/** A client, with its public keys or the hash of its secret. Without either it is public, identified by PKCE alone. */
export const clientSettings = z
  .strictObject({
    client_id: z
      .string()
      .regex(/^[\x21-\x7e]{1,100}$/, 'must be visible ASCII characters')
      // a token whose subject equals its client belongs to a service, so no client id may look like a user id
      .refine(
        (id) => !z.guid().safeParse(id).success && id !== 'first-party',
        'must be neither a uuid nor first-party',
      ),
    client_name: z.string().min(1).max(100).optional(),
    jwks: fields.clientJwks.optional(),
    secret_hash: z
      .string()
      .regex(/^[\w-]{43}$/, 'must be the SHA-256 of the secret in base64url, as client add stores it')
      .optional(),
    grant_types: z
      .array(z.enum(['authorization_code', 'refresh_token', 'client_credentials']))
      .default(['client_credentials']),
    grants: z
      .array(
        z.strictObject({
          audience: z.string(),
          scopes: z.array(z.string()),
          own_scopes: z.array(z.string()).optional(),
        }),
      )
      .default([]),
    introspects: z.array(z.string()).optional(),
    // every token of the client contains them, and services accept tokens of up to 4,096 characters
    queues: z.array(schemas.queueName).max(20).optional(),
    redirect_uris: z.array(redirectUri).default([]),
    post_logout_redirect_uris: z.array(redirectUri).default([]),
    application_type: z.enum(['web', 'native']).default('web'),
  })
  .refine(
    ({ jwks, secret_hash: secret }) => jwks === undefined || secret === undefined,
    'must have keys or a secret, not both',
  )
  .refine(
    ({ grant_types: types, redirect_uris: uris }) => types.includes('authorization_code') === uris.length > 0,
    'must have redirect_uris for authorization_code, and only for it',
  )
  .refine(
    ({ grant_types: types, jwks, secret_hash: secret }) =>
      !types.includes('client_credentials') || jwks !== undefined || secret !== undefined,
    'must have keys or a secret for client_credentials',
  )
  .refine(
    ({ introspects, jwks, secret_hash: secret }) =>
      introspects === undefined || jwks !== undefined || secret !== undefined,
    'must have keys or a secret to introspect the tokens of others',
  )
  .superRefine((client, context) => {
    for (const { path, message } of scopeFaults(client)) context.addIssue({ code: 'custom', path, message });
  });

/** Lists the settings that a client registered by an older version has but can't use: each with its path and the replacement. */
export function clientFaults(client: ClientScopes & { jwks?: unknown }) {
  const keys = client.jwks === undefined ? undefined : fields.clientJwks.safeParse(client.jwks);
  const keyFaults = keys?.error?.issues ?? [];
  return [
    ...scopeFaults(client),
    ...keyFaults.map(({ path, message }) => ({ path: ['jwks', ...path.map(String)], message })),
  ];
}

const clients = fields
  .json(
    z.array(clientSettings).refine((list) => new Set(list.map(({ client_id: id }) => id)).size === list.length, {
      message: 'must not name a client twice',
    }),
  )
  .describe(
    'JSON: [{"client_id","jwks":{"keys":[]},"grants":[{"audience","scopes":[]}]}], as npm run taskwire -- auth client add --help explains',
  );

function count(most: number) {
  return fields.integer(1, most);
}

/** The environment that the command line needs. */
export const commandEnv = databaseEnv.extend({
  /** NIST SP 800-57 allows years for a signing key; frequent rotation ensures that rotation works when it is needed. */
  KEY_ROTATION_DAYS: count(365).default(30),
  /** Replicas look for keys every 10 s, services every 5 min, and the JWKS may be cached for 5 min: together less than this. */
  KEY_OVERLAP_SECONDS: fields.integer(0, 86_400).default(900),
  /** Tokens live for ten minutes; an ID token may be sent as a hint at log-out for as long as a browser stays logged in. */
  KEY_RETIRED_DAYS: count(365).default(14),

  /** Some users read their mail only once a day. */
  EMAIL_VERIFICATION_SECONDS: fields.integer(60, 2_592_000).default(86_400),
  /** OWASP's cheat sheet on forgotten passwords: as short as users can tolerate. Note that greylisting delays mails by minutes. */
  PASSWORD_RESET_SECONDS: fields.integer(60, 86_400).default(3_600),
  /**
   * The time in which the old address can undo a change and stays reserved: the length of a holiday of a week. Less than a day would help a thief who
   * took over the account.
   */
  EMAIL_UNDO_SECONDS: fields.integer(86_400, 2_592_000).default(604_800),

  /** The time to notice that a deletion was a mistake, or to answer questions about it; the tombstone's personal data is erased afterwards. */
  ERASE_DELETED_USERS_DAYS: count(3_650).default(30),
  /**
   * The time in which admins can restore a deleted user: 0 for never, at most until the erasure. Defaults to 7, or less if the erasure comes earlier.
   */
  RESTORE_DELETED_USERS_DAYS: fields.integer(0, 3_650).optional(),
});

/** Erased data can't be restored. */
function isRestoredBeforeErased(days: {
  RESTORE_DELETED_USERS_DAYS?: number | undefined;
  ERASE_DELETED_USERS_DAYS: number;
}) {
  return (days.RESTORE_DELETED_USERS_DAYS ?? 0) <= days.ERASE_DELETED_USERS_DAYS;
}
const restoredAfterErased = {
  path: ['RESTORE_DELETED_USERS_DAYS'],
  message: 'must be at most ERASE_DELETED_USERS_DAYS',
};

export type CommandEnv = z.output<typeof commandEnv>;

/** The environment of a command that creates a key. */
export const keyCommandEnv = commandEnv.extend({ KEY_ENCRYPTION_SECRET: secret32 });

const serviceEnv = commandEnv.extend({
  ...serviceFields,
  PORT: fields.port.default(3001),
  DATABASE_POOL_SIZE: count(200).default(10),
  /** Written into every token, and checked by every service. */
  ISSUER: fields.httpUrl.default('http://localhost:8080/oidc'),
  /**
   * Scripts on pages of these origins may call the provider, as may scripts at the origins of each client's redirect URIs. The gateway needs the same
   * list.
   */
  CORS_ORIGINS: fields.origins.default([]),

  KEY_ENCRYPTION_SECRET: secret32,
  /** Clients in addition to those registered by command; if two have the same id, these take precedence. */
  OIDC_CLIENTS: clients.default([]),
  /** Who may register: anyone, users with an address in REGISTRATION_DOMAINS, invited users, or no one. */
  REGISTRATION: z.enum(['open', 'domains', 'invited', 'off']).default('off'),
  REGISTRATION_DOMAINS: fields.domains
    .default([])
    .describe('REGISTRATION=domains accepts addresses in these domains, such as example.org,example.com'),
  /** A week is long enough to include a working day for people who are out of the office. */
  INVITATION_SECONDS: fields.integer(60, 2_592_000).default(604_800),
  /** Invitations by one user: enough for a department at once, but not for a mailing list. */
  INVITATIONS_PER_INVITER: count(100_000).default(50),
  INVITATION_WINDOW_MS: fields.milliseconds.default(86_400_000),

  /** Services are notified of revoked access by events; this limits how long a service that receives no events still accepts tokens. */
  ACCESS_TOKEN_SECONDS: fields.integer(60, 600).default(600),
  /** A user who returns within this time doesn't have to log in again, unless the session has ended. */
  REFRESH_TOKEN_DAYS: count(365).default(14),
  SESSION_DAYS: count(365).default(90),
  /** Covers two tabs that refresh at once, and a response lost on a slow network; a longer period only helps a thief. */
  REFRESH_GRACE_SECONDS: fields.integer(0, 60).default(10),

  /** Each running hash keeps one core busy for about 30 ms and holds 19 MiB; libuv's other two threads stay free for DNS and files. */
  PASSWORD_HASH_CONCURRENCY: count(64).default(2),
  /**
   * At 2 x 30 hashes a second the last in the queue waits for about 3 s; for a longer wait, 503 is the better response. Half of the queue is for
   * callers that accounts know.
   */
  PASSWORD_HASH_QUEUE: count(10_000).default(200),

  /**
   * Limits guessing at one account: ten attempts per quarter of an hour are 350,000 a year, which is too few to find a password that is not trivial.
   */
  LOGIN_FAILURES_PER_ACCOUNT_AND_IP: count(1_000_000).default(10),
  /** Limits guessing at many accounts; generous, since an office may share one address. */
  LOGIN_FAILURES_PER_IP: count(1_000_000).default(300),
  LOGIN_FAILURE_WINDOW_MS: fields.milliseconds.default(900_000),
  /**
   * Limits guessing at one account from any number of addresses: 30 attempts an hour on average, and at most 40 in any one hour. Attempts from the
   * owner's known devices and networks don't count.
   */
  LOGIN_FAILURES_PER_ACCOUNT: count(1_000_000).default(10),
  LOGIN_ACCOUNT_WINDOW_MS: fields.milliseconds.default(1_200_000),
  /** The number of days for which a device or network stays known after a log-in. */
  LOGIN_KNOWN_DAYS: count(365).default(90),
  /** An unverified address may belong to another person; a user who intended to register will have seen the mail within a month. */
  UNVERIFIED_ACCOUNT_DAYS: count(3_650).default(30),
  /** Addresses and user agents are personal data; attacks are investigated within weeks. */
  AUDIT_ORIGIN_DAYS: count(3_650).default(90),
  /** A year, plus the time for auditing that year. */
  AUDIT_ENTRY_DAYS: count(3_650).default(400),
  /** Generous, so that demos and tests can register all their users; a public installation needs a lower limit. */
  REGISTRATIONS_PER_IP: count(1_000_000).default(2_000),
  REGISTRATION_WINDOW_MS: fields.milliseconds.default(3_600_000),
  /** Limits the mails caused by one network or one logged-in user: by registering, by requesting links, and by creating accounts for others. */
  MAILS_PER_CALLER: count(1_000_000).default(2_000),
  /** People rarely change their names, and correct a typing error in a few attempts; each change causes an event that every service consumes. */
  RENAMES_PER_ACCOUNT: count(1_000_000).default(20),
  RENAME_WINDOW_MS: fields.milliseconds.default(3_600_000),
  /** Unrequested mails are a nuisance to their recipients, so few are allowed for one address. An office may share one network. */
  MAIL_REQUESTS_PER_IP: count(1_000_000).default(100),
  MAIL_REQUESTS_PER_ADDRESS: count(1_000_000).default(5),
  MAIL_REQUEST_WINDOW_MS: fields.milliseconds.default(3_600_000),
});

export const env = serviceEnv
  .refine(({ REGISTRATION: mode, REGISTRATION_DOMAINS: domains }) => mode !== 'domains' || domains.length > 0, {
    path: ['REGISTRATION_DOMAINS'],
    message: 'must name a domain with REGISTRATION=domains',
  })
  // otherwise anyone who enters an address of the domain would be accepted as a member of it
  .refine(({ REGISTRATION: mode, AUTH_REQUIRE_VERIFIED_EMAIL: required }) => mode !== 'domains' || required, {
    path: ['AUTH_REQUIRE_VERIFIED_EMAIL'],
    message: 'must be true with REGISTRATION=domains: an unverified address proves nothing about its domain',
  })
  .refine(isRestoredBeforeErased, restoredAfterErased);

export type Env = z.output<typeof env>;
