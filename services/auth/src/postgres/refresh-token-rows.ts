/**
 * What rotates refresh tokens, for the JSON API and the provider alike. `$1` is the hash of the token, `$2` that of its one successor.
 */

/**
 * Whether a token belongs to the session's present log-in. When somebody proves again who they are, tokens from before are dead: one that was
 * stolen must not get an access token with the new time of log-in.
 */
export const isOfPresentLogin =
  '(sessions.authenticated_at IS NULL OR refresh_tokens.created_at >= sessions.authenticated_at)';

/**
 * Of uses at the same time, the row lock lets one through after the other. $3 is the grace in seconds; $4 tells tokens of the JSON API
 * (true) from those of the provider's clients, who must not use each other's.
 */
export const claimToken = `
  UPDATE refresh_tokens SET used_at = coalesce(refresh_tokens.used_at, clock_timestamp())
  FROM sessions
  WHERE refresh_tokens.hash = $1 AND refresh_tokens.expires_at > clock_timestamp()
    AND sessions.id = refresh_tokens.session_id AND (sessions.payload IS NULL) = $4 AND ${isOfPresentLogin}
    AND (
      refresh_tokens.used_at IS NULL
      OR refresh_tokens.used_at > clock_timestamp() - make_interval(secs => $3)
        AND NOT EXISTS (SELECT FROM refresh_tokens next WHERE next.hash = $2 AND next.used_at IS NOT NULL)
    )
  RETURNING refresh_tokens.session_id, sessions.user_id, sessions.client_id`;

/** Ends the session of a token that was used before and came again. */
export const endReused = `
  UPDATE sessions SET ended_at = clock_timestamp(), end_reason = 'refresh_token_reuse'
  FROM refresh_tokens
  WHERE refresh_tokens.hash = $1 AND refresh_tokens.used_at IS NOT NULL AND refresh_tokens.expires_at > clock_timestamp()
    AND sessions.id = refresh_tokens.session_id AND (sessions.payload IS NULL) = $2 AND sessions.ended_at IS NULL
    AND ${isOfPresentLogin}
  RETURNING sessions.id, sessions.user_id, sessions.client_id`;
