/** The origin of a request. All fields are null for the command line and for scheduled work of the service. */
export type RequestOrigin = {
  /** The address that the gateway saw. */
  ip: string | null;
  userAgent: string | null;
  /** The id that this product assigned. */
  requestId: string | null;
  /** The id that the caller chose for its request, unverified. */
  clientRequestId: string | null;
  /** The application in use; null also for a client that failed to authenticate. */
  clientId: string | null;
  /** The proof that the device received at a log-in (see `DeviceCookies`), or any other value that was sent instead. */
  deviceCookie: string | null;
};

/** The origin of actions that don't arrive over the network. */
export const noOrigin: RequestOrigin = {
  ip: null,
  userAgent: null,
  requestId: null,
  clientRequestId: null,
  clientId: null,
  deviceCookie: null,
};

export type AuditActor =
  { kind: 'user'; id: string } | { kind: 'client'; id: string } | { kind: 'command_line' } | { kind: 'system' };

/** The actor of an action, and its origin. A null actor is a caller who hasn't authenticated. */
export type AuditContext = { actor: AuditActor | null; origin: RequestOrigin };

/** The actor is anyone who may run commands on the machine. */
export const commandLineContext: AuditContext = { actor: { kind: 'command_line' }, origin: noOrigin };

/** The service itself, on its schedule. */
export const systemContext: AuditContext = { actor: { kind: 'system' }, origin: noOrigin };

export type AuditSubject = { kind: 'user' | 'client' | 'key' | 'invitation'; id: string };
