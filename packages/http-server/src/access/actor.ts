import type { Role } from '@taskwire/contracts';

/** A logged-in person. */
export type UserActor = {
  kind: 'user';
  id: string;
  /** As the service knows it now, not as the token says, where the service knows the user. */
  role: Role;
  /** The session that the token was issued in. */
  sessionId: string | undefined;
};

/** Another service, with a machine-to-machine token. */
export type ServiceActor = { kind: 'service'; clientId: string; scopes: ReadonlySet<string> };

export type Actor = UserActor | ServiceActor;
