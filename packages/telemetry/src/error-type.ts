/** Short codes of errors, such as `ECONNREFUSED`, `23505` or `not_found`; no code contains text from outside. */
const codePattern = /^[A-Za-z0-9_.:-]{1,60}$/;

/** Returns the code of an error, or the name of its class, as one of few values without personal data. */
export function errorTypeOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return codeOf(error) ?? error.name;
}

/** Returns the stable code of an error: an SQLSTATE, a system error, or a code of the code base. */
export function codeOf(error: Error): string | undefined {
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' && codePattern.test(code) ? code : undefined;
}
