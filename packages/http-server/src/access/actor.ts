import type { Role, UserScope } from '@taskwire/contracts';

/** A logged-in person, and the application that acts on their behalf. */
export type UserActor = {
  kind: 'user';
  id: string;
  /** The current role as known to the service, or the role in the token if the service does not know the user. */
  role: Role;
  /** The session in which the token was issued. */
  sessionId: string | undefined;
  /** The application that holds the token. */
  clientId: string;
  /** Whether the JSON API issued the token, to the product's own front end. */
  isFirstParty: boolean;
  scopes: ReadonlySet<UserScope>;
  /** When the person last proved their identity: the claim `auth_time`. */
  authenticatedAt: Date | undefined;
  /** Whether the account may only access itself, since its address is not verified. */
  isRestricted: boolean;
};

/** Another service, with a machine-to-machine token. `queues`: the queues of its registration, to which the service is limited. */
export type ServiceActor = {
  kind: 'service';
  clientId: string;
  scopes: ReadonlySet<string>;
  queues: readonly string[];
};

export type Actor = UserActor | ServiceActor;
