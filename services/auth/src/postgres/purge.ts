import { query, type Queryable } from '@taskwire/postgres';

/** Rows per batch, so that no statement runs long or holds many locks. */
const batch = 1_000;

/**
 * Deletes a batch of rows that have no further use: expired tokens, codes and the like (reuse of an expired one is no evidence of theft), sessions
 * and mailed links a week after they expired, invitations a month after they ended, browser log-ins, networks without a log-in for a long time, and
 * counts of attempts whose period is over. Returns whether there may be more.
 */
export async function purgeExpired(db: Queryable): Promise<'more' | 'idle'> {
  const tokens = await query(db, deleteTokens, [batch]);
  const sessions = await query(db, deleteSessions, [batch]);
  const artifacts = await query(db, deleteArtifacts, [batch]);
  const links = await query(db, deleteLinks, [batch]);
  const invitations = await query(db, deleteInvitations, [batch]);
  const browsers = await query(db, deleteBrowsers, [batch]);
  const networks = await query(db, deleteNetworks, [batch]);
  const limits = await query(db, deleteLimits, [Date.now(), batch]);
  return [tokens, artifacts, sessions, links, invitations, browsers, networks, limits].some(
    ({ length }) => length === batch,
  )
    ? 'more'
    : 'idle';
}

const deleteTokens = `
  DELETE FROM refresh_tokens WHERE hash IN (
    SELECT hash FROM refresh_tokens WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

const deleteArtifacts = `
  DELETE FROM oidc_artifacts WHERE (kind, hash) IN (
    SELECT kind, hash FROM oidc_artifacts WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

const deleteSessions = `
  DELETE FROM sessions WHERE id IN (
    SELECT id FROM sessions WHERE expires_at < clock_timestamp() - interval '7 days' ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

// a mail is retried for four days (RFC 5321 section 4.5.4.1), and until then its sender must be able to read that the link has ended
const deleteLinks = `
  DELETE FROM account_links WHERE id IN (
    SELECT id FROM account_links WHERE expires_at < clock_timestamp() - interval '7 days' ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

// the inviter checks on an invitation for some weeks; after that the address has no use
const deleteInvitations = `
  DELETE FROM invitations WHERE id IN (
    SELECT id FROM invitations WHERE least(ended_at, expires_at) < clock_timestamp() - interval '30 days'
      AND expires_at < clock_timestamp()
    ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

const deleteBrowsers = `
  DELETE FROM browser_logins WHERE id IN (
    SELECT id FROM browser_logins WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

const deleteNetworks = `
  DELETE FROM known_networks WHERE hash IN (
    SELECT hash FROM known_networks WHERE expires_at < clock_timestamp() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;

const deleteLimits = `
  DELETE FROM rate_limits WHERE key IN (
    SELECT key FROM rate_limits WHERE expire < $1 ORDER BY expire LIMIT $2 FOR UPDATE SKIP LOCKED
  ) RETURNING 1`;
