import type { Role, UserScope } from '@taskwire/contracts';

/** A logged-in person, and the application that acts for them. */
export type UserActor = {
  kind: 'user';
  id: string;
  /** As the service knows it now, not as the token says, where the service knows the user. */
  role: Role;
  /** The session that the token was issued in. */
  sessionId: string | undefined;
  /** The application that holds the token. */
  clientId: string;
  /** Whether the token was issued by the JSON API, to the product's own front end. */
  isFirstParty: boolean;
  scopes: ReadonlySet<UserScope>;
  /** When the person last proved who they are: the claim `auth_time`. */
  authenticatedAt: Date | undefined;
  /** Whether the account may only reach itself, since its address is not verified. */
  isRestricted: boolean;
};

/** Another service, with a machine-to-machine token. */
export type ServiceActor = { kind: 'service'; clientId: string; scopes: ReadonlySet<string> };

export type Actor = UserActor | ServiceActor;
