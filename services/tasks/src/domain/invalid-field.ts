import { problem, type Problem } from '@taskwire/errors';

/** The problem of a field that breaks a rule which the contract's schema can't express. */
export function invalidField(field: string, code: string, message: string): Problem {
  return problem('invalid_input', `Invalid fields: ${field}. ${field} ${message}.`, {
    errors: [{ field, code, message }],
  });
}
