import { problem, type Problem } from './problem.ts';

/**
 * Returns the problem for a token that has none of these scopes (one would be enough), with the challenge of RFC 6750 section 3.1. The sentence for
 * the caller begins with `what`.
 */
export function insufficientScope(scopes: readonly string[], what = 'The token requires'): Problem {
  return problem('insufficient_scope', `${what} the scope ${scopes.join(' or ')}.`, {
    headers: { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${scopes.join(' ')}"` },
  });
}

/** Returns the problem for an action that no application may perform for a user: no scope permits it. */
export function onlyInPerson(): Problem {
  return problem(
    'insufficient_scope',
    'Applications cannot do this on behalf of a user. The user must do it in Taskwire.',
  );
}
