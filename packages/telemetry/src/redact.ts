/** Names of fields whose values are never logged. Matches the whole name or its last word, in snake, kebab or camel case. */
const secretName = /(^|[_-])(password|secret|token|authorization|cookie|credentials?|private[_-]?key|api[_-]?key)$/i;
/** Tokens and passwords inside free text: JWTs, bearer and basic credentials, and the password of a URL. */
const secretText = /\beyJ[\w-]+\.[\w-]+\.[\w-]*|\b(bearer|basic) [\w.~+/=-]{8,}|(?<=:\/\/[^\s:/@]*:)[^\s@/]+(?=@)/gi;

/** The minimum length of a secret that `secretText` matches. Most strings of a log line are shorter. */
const shortestSecret = 12;

const redacted = '[redacted]';

/**
 * Returns a copy of a log value without its secrets. Depth and length are bounded (6 levels, 100 entries, 8 KiB of text), so that a line has a
 * bounded size whatever is logged. Errors become `{name, message, code, stack, cause}`.
 */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string')
    return value.length < shortestSecret ? value : cut(value).replaceAll(secretText, redacted);
  if (value === null || typeof value !== 'object') return typeof value === 'bigint' ? value.toString() : value;
  if (depth >= 6) return '[too deep]';
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (Buffer.isBuffer(value)) return `[${value.length} bytes]`;
  if (Array.isArray(value)) return value.slice(0, 100).map((entry) => redact(entry, depth + 1));
  const entries = Object.entries(value).slice(0, 100);
  return Object.fromEntries(
    entries.map(([name, entry]) => [name, isSecretName(name) ? redacted : redact(entry, depth + 1)]),
  );
}

/**
 * Caches whether a field name is secret, because a service logs the same few hundred names. The cache is bounded, so that names from outside cannot
 * fill the memory.
 */
const secretNames = new Map<string, boolean>();
const maxCachedNames = 1_000;

function isSecretName(name: string): boolean {
  let isSecret = secretNames.get(name);
  if (isSecret === undefined) {
    isSecret = secretName.test(name.replaceAll(/([a-z])([A-Z])/g, '$1_$2'));
    if (secretNames.size < maxCachedNames) secretNames.set(name, isSecret);
  }
  return isSecret;
}

function redactError(error: Error, depth: number): unknown {
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    name: error.name,
    message: redact(error.message, depth + 1),
    code: redact(code, depth + 1),
    stack: redact(error.stack, depth + 1),
    cause: redact(error.cause, depth + 1),
  };
}

function cut(text: string): string {
  return text.length > 8192 ? `${text.slice(0, 8192)}… (${text.length} characters)` : text;
}
