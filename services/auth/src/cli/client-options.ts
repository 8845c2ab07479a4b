import { readFileSync } from 'node:fs';
import { clientSettings } from '../env.ts';
import { UsageError } from './command.ts';

/** The command-line options for adding or changing a client. */
export const clientOptions = {
  id: { type: 'string' },
  name: { type: 'string' },
  jwks: { type: 'string' },
  grant: { type: 'string', multiple: true },
  'own-grant': { type: 'string', multiple: true },
  'redirect-uri': { type: 'string', multiple: true },
  'post-logout-redirect-uri': { type: 'string', multiple: true },
  native: { type: 'boolean' },
  introspect: { type: 'string', multiple: true },
  queue: { type: 'string', multiple: true },
} as const;

/** Validates a client's settings; `what` names the operation. @throws UsageError with all faults and the options that caused them. */
export function checkedSettings<C extends { grants: readonly Grant[] }>(client: C, what: 'added' | 'changed') {
  const result = clientSettings.safeParse(client);
  if (result.success) return result.data;
  const faults = result.error.issues.map(({ path, message }) => `  ${[...optionOf(client, path), message].join(' ')}`);
  throw new UsageError(`The client can't be ${what}:\n${faults.join('\n')}`);
}

/** Returns the option that caused a fault, if its name differs from the setting's name. */
function optionOf({ grants }: { grants: readonly Grant[] }, path: readonly PropertyKey[]): string[] {
  const [field, index, list] = path;
  if (field === 'introspects') return ['--introspect'];
  if (field === 'queues') return ['--queue'];
  if (field === 'jwks') return [typeof list === 'number' ? `--jwks, key ${list + 1}:` : '--jwks'];
  if (field !== 'grants' || typeof index !== 'number') return path.map(String);
  return [`${list === 'own_scopes' ? '--own-grant' : '--grant'} ${grants[index]?.audience ?? ''}:`];
}

export type Grant = { audience: string; scopes: readonly string[]; own_scopes?: readonly string[] | undefined };

/** `ownField`: the field for scopes that the client uses on its own behalf. */
export function readGrants(
  grants: readonly string[],
  own: readonly string[],
  ownField: 'scopes' | 'own_scopes',
): Grant[] {
  const read = new Map<string, Grant>();
  const add = (text: string, field: 'scopes' | 'own_scopes') => {
    const [audience = '', scopes = ''] = text.split('=', 2);
    const grant = read.get(audience) ?? { audience, scopes: [] };
    read.set(audience, { ...grant, [field]: [...(grant[field] ?? []), ...scopes.split(',').filter(Boolean)] });
  };
  for (const text of grants) add(text, 'scopes');
  for (const text of own) add(text, ownField);
  return [...read.values()];
}

/** Reads a JWKS or a single JWK. @throws UsageError. */
export function readJwks(file: string): { keys: unknown[] } {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8')) as { keys?: unknown[] };
    return { keys: read.keys ?? [read] };
  } catch (cause) {
    throw new UsageError(`${file} has no JSON Web Key Set, such as {"keys":[{"kty":"EC","crv":"P-256",…}]}.`, {
      cause,
    });
  }
}
