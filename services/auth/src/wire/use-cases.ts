import { mostListedQueues } from '@taskwire/contracts';
import type { Logger } from '@taskwire/telemetry';
import { addUser } from '../app/add-user.ts';
import { authenticate as createAuthenticate, checkPassword as createCheckPassword } from '../app/authenticate.ts';
import { changeUser, deleteUser } from '../app/change-user.ts';
import { createUser } from '../app/create-user.ts';
import type { DeviceCookies } from '../app/device-cookies.ts';
import { listQueues } from '../app/list-queues.ts';
import { logIn, startSession as createStartSession } from '../app/log-in.ts';
import type { Audit } from '../app/ports/audit.ts';
import type { Limits } from '../app/ports/limits.ts';
import type { Passwords } from '../app/ports/passwords.ts';
import type { Sessions } from '../app/ports/sessions.ts';
import type { Users } from '../app/ports/users.ts';
import { readInternalUser, readUser } from '../app/read-user.ts';
import { reauthenticate } from '../app/reauthenticate.ts';
import { refreshTokens as createRefreshTokens } from '../app/refresh-tokens.ts';
import { refresh } from '../app/refresh.ts';
import { restoreUserByAdmin } from '../app/restore-user.ts';
import { stepUp as createStepUp } from '../app/step-up.ts';
import type { Env } from '../env.ts';
import type { UseCases } from '../http/routes.ts';
import { derivedKey } from '../tokens/derived-keys.ts';
import { createJwtIssuer } from '../tokens/jwt-issuer.ts';
import type { SigningKeys } from '../tokens/signing-keys.ts';
import type { Clients } from './clients.ts';
import type { RegistrationParts } from './registration.ts';

type Parts = {
  users: Users;
  sessions: Sessions;
  passwords: Passwords;
  limits: Limits;
  deviceCookies: DeviceCookies;
  audit: Audit;
  logger: Logger;
  keys: SigningKeys;
};

/** Wires the proofs of identity that use cases and pages share: passwords, tokens, sessions. */
export function wireIdentity(env: Env, parts: Parts) {
  const tokens = createJwtIssuer({ issuer: env.ISSUER, lifetimeSeconds: env.ACCESS_TOKEN_SECONDS, keys: parts.keys });
  const refreshTokens = createRefreshTokens(derivedKey(env.KEY_ENCRYPTION_SECRET, 'refresh tokens'));
  return {
    tokens,
    refreshTokens,
    authenticate: createAuthenticate(parts),
    checkPassword: createCheckPassword(parts),
    startSession: createStartSession({ ...parts, refreshTokens, tokens }),
  };
}

type Identity = ReturnType<typeof wireIdentity>;

/** Wires the use cases behind the JSON API for sessions and users. */
export function wireUseCases(
  parts: Parts & Identity & { registration: RegistrationParts; clients: Pick<Clients, 'queues'> },
): UseCases {
  const { registration, sessions, clients } = parts;
  const { policy } = registration;
  const stepUp = createStepUp(parts);
  return {
    register: registration.register,
    logIn: logIn(parts),
    refresh: refresh(parts),
    logOut: sessions.end,
    reauthenticate: reauthenticate(parts),
    addUser: addUser({ create: createUser(parts), stepUp }),
    readUser: readUser(parts),
    changeUser: changeUser({ ...parts, stepUp, policy }),
    deleteUser: deleteUser({ ...parts, stepUp }),
    restoreUser: restoreUserByAdmin({ ...parts, stepUp }),
    readInternalUser: readInternalUser(parts),
    listQueues: listQueues({ queuesOfClients: clients.queues, most: mostListedQueues }),
  };
}
