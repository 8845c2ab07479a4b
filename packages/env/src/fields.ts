import { createPrivateKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { domainToASCII } from 'node:url';
import { z } from 'zod';

/** An environment variable that holds an integer within bounds. */
export function integer(min: number, max: number) {
  return z
    .string()
    .regex(/^-?\d+$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`));
}

/** A share, from 0 to 1. */
export const ratio = z
  .string()
  .regex(/^(0(\.\d+)?|1(\.0+)?)$/, 'must be a number from 0 to 1, such as 0.1')
  .transform(Number);

/** A TCP port; 0 for any free port. */
export const port = integer(0, 65_535).describe('the TCP port to listen on, 0 for any free port');

/** A duration in milliseconds. */
export const milliseconds = integer(1, 86_400_000);

/** A URL with one of these schemes, as text. Errors never include the value, because it may contain a password. */
export function url(...schemes: string[]) {
  return z
    .string()
    .refine(
      (text) => URL.canParse(text) && schemes.includes(new URL(text).protocol.replace(/:$/, '')),
      `must be a URL that starts with ${schemes.map((scheme) => `${scheme}://`).join(' or ')}`,
    );
}

export const httpUrl = url('http', 'https');
export const postgresUrl = url('postgres', 'postgresql').describe(
  'a URL such as postgres://login:password@host:5432/database',
);
export const amqpUrl = url('amqp', 'amqps').describe('a URL such as amqp://login:password@host:5672/vhost');
export const smtpUrl = url('smtp', 'smtps').describe('a URL such as smtp://host:1025');

/**
 * The logins that publish each service's events, as `auth=login,tasks=login`. A service may occur several times. A missing service means a login with
 * the service's name.
 */
export const eventLogins = z
  .string()
  .regex(/^[^=,\s]+=[^=,\s]+(,[^=,\s]+=[^=,\s]+)*$/, 'must have the form auth=login-of-auth,tasks=login-of-tasks')
  .default('')
  .transform((text) => {
    const logins: Record<string, string[]> = {};
    for (const [service = '', login = ''] of text.split(',').map((pair) => pair.split('=')))
      if (service !== '') (logins[service] ??= []).push(login);
    return logins;
  })
  .describe('the logins that publish the events of each service, such as auth=login-of-auth,tasks=login-of-tasks');

/** Whether to accept events without their publisher's login, relying only on the broker's permissions. */
export const eventsWithoutUserId = z.enum(['accept', 'refuse']).default('accept');

export const logLevel = z.enum(['error', 'warn', 'info', 'debug']);

/** Comma-separated partition numbers, starting from 0. */
export const partitionNumbers = z
  .string()
  .regex(/^\d{1,2}(,\d{1,2})*$/, 'must be numbers from 0 with commas between them, such as 0,1')
  .transform((text) => [...new Set(text.split(',').map(Number))]);

/** A switch: `true` or `on`, `false` or `off`. */
export const flag = z
  .enum(['true', 'on', 'false', 'off'], { error: 'must be true or false' })
  .transform((text) => text === 'true' || text === 'on');

/** Letters, digits and hyphens, as in the domains of addresses (RFC 5321 section 4.1.2). */
const hostName = /^(?=.{1,253}$)[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?(?:\.[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?)*$/;

/** Comma-separated domains in the form used in e-mail addresses: lower case, with international ones in Punycode. */
export const domains = z.string().transform((text, context) =>
  text.split(',').flatMap((given) => {
    const domain = toDomain(given.trim().toLowerCase());
    if (domain !== undefined) return [domain];
    const message = `has "${given.trim()}", which is not a domain such as example.org; it must not have @, a wildcard or a final dot, and each subdomain needs its own entry`;
    context.addIssue({ code: 'custom', message });
    return [];
  }),
);

function toDomain(given: string): string | undefined {
  // the URL standard accepts many strings as a host (%61 as a, 0x7f.1 as an address), so plain ASCII is not passed to its parser
  const ascii = /[^\x20-\x7e]/.test(given) ? domainToASCII(given) : given;
  return hostName.test(ascii) ? ascii : undefined;
}

/** Comma-separated origins of web pages, each as browsers send it: `https://app.example.com`, `http://localhost:5173`. */
export const origins = z.string().transform((text, context) =>
  text.split(',').flatMap((item) => {
    const given = item.trim();
    const origin = toOrigin(given);
    // the URL standard accepts a host with an asterisk
    if (origin === given && !given.includes('*')) return [origin];
    const remedy =
      origin === undefined || given.includes('*')
        ? 'write each origin as scheme://host or scheme://host:port, such as https://app.example.com, with commas between them; wildcards are not supported'
        : `write ${origin}`;
    // the text before an @ may contain a password
    const shown = given.includes('@') ? 'an entry' : `"${given}"`;
    context.addIssue({ code: 'custom', message: `has ${shown}, which is not an origin; ${remedy}` });
    return [];
  }),
);

function toOrigin(given: string): string | undefined {
  const url = URL.parse(given);
  return url !== null && ['http:', 'https:'].includes(url.protocol) && url.username === '' ? url.origin : undefined;
}

/** Names with values, as `name=value,other=value`, in which values may be percent-encoded. Errors never include a value, because it may be a secret. */
export const keyValues = z.string().transform((text, context): Record<string, string> => {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '');
  const decoded = pairs.map((pair) => /^\s*(?<name>[^\s=]+)\s*=(?<value>.*)$/.exec(pair)?.groups);
  try {
    return Object.fromEntries(
      decoded.map((pair) => [pair?.['name'] ?? invalid(), decodeURIComponent(pair?.['value']?.trim() ?? '')]),
    );
  } catch {
    context.addIssue({
      code: 'custom',
      message: 'must have the form name=value,other=value, with percent-encoded values',
    });
    return z.NEVER;
  }
});

function invalid(): never {
  throw new Error('a pair without a name');
}

/** A JSON document inside one variable. */
export function json<S extends z.ZodType>(schema: S) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

/** A private key: a JWK or PEM, either inline or in a file (`file:///run/secrets/key`). Errors contain neither the key nor the file's content. */
export const privateKey = z
  .string()
  .transform((text, context): KeyObject => {
    try {
      return parsePrivateKey(text.startsWith('file://') ? readFileSync(new URL(text), 'utf8') : text);
    } catch (error) {
      // only errors of readFileSync have both fields; an error about the key could contain the key
      const { syscall, code } = error as NodeJS.ErrnoException;
      const message =
        syscall === undefined
          ? 'must be a private key as JWK or PEM, or file:// with the path of one'
          : `names a file that cannot be read (${code}); make it readable for the user of this process`;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  })
  .describe('a private key as JWK or PEM, or file:// with the path of one');

/** Also accepts a PEM whose line breaks are written as \n, for variables that cannot contain line breaks. */
function parsePrivateKey(content: string): KeyObject {
  return content.trim().startsWith('{')
    ? createPrivateKey({ key: JSON.parse(content) as Record<string, string>, format: 'jwk' })
    : createPrivateKey(content.replaceAll('\\n', '\n'));
}

export { clientJwks } from './client-jwk.ts';
