/**
 * SQL for the rotation of refresh tokens, shared by the JSON API and the provider. `$1` is the hash of the token, `$2` the hash of its only successor.
 */

/**
 * Whether a token belongs to the session's current log-in. When the user authenticates again, earlier tokens become invalid: a stolen token must not
 * yield an access token with the new time of log-in.
 */
export const isOfPresentLogin =
  '(sessions.authenticated_at IS NULL OR refresh_tokens.created_at >= sessions.authenticated_at)';

/**
 * The row lock serialises concurrent uses. $3 is the grace period in seconds; $4 distinguishes tokens of the JSON API (true) from tokens of the
 * provider's clients, because neither may use the other's tokens.
 */
export const claimToken = {
  name: 'refresh_tokens.claim',
  text: `
    UPDATE refresh_tokens SET used_at = coalesce(refresh_tokens.used_at, clock_timestamp())
    FROM sessions
    WHERE refresh_tokens.hash = $1 AND refresh_tokens.expires_at > clock_timestamp()
      AND sessions.id = refresh_tokens.session_id AND (sessions.payload IS NULL) = $4 AND ${isOfPresentLogin}
      AND (
        refresh_tokens.used_at IS NULL
        OR refresh_tokens.used_at > clock_timestamp() - make_interval(secs => $3)
          AND NOT EXISTS (SELECT FROM refresh_tokens next WHERE next.hash = $2 AND next.used_at IS NOT NULL)
      )
    RETURNING refresh_tokens.session_id, sessions.user_id, sessions.client_id`,
};

/** Ends the session of a used token that was presented again. */
export const endReused = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'refresh_token_reuse'
  FROM refresh_tokens
  WHERE refresh_tokens.hash = $1 AND refresh_tokens.used_at IS NOT NULL AND refresh_tokens.expires_at > clock_timestamp()
    AND sessions.id = refresh_tokens.session_id AND (sessions.payload IS NULL) = $2 AND sessions.ended_at IS NULL
    AND ${isOfPresentLogin}
  RETURNING sessions.id, sessions.user_id, sessions.client_id`;
