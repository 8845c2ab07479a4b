import type { AuditContext } from '../domain/audit-context.ts';
import type { SealedKeys } from '../app/ports/signing-keys.ts';
import { seal, unseal } from './sealing.ts';

/** The number of keys that were sealed again, or the keys that neither secret opens, in which case nothing was changed. */
export type Resealed = { kind: 'done'; resealed: number } | { kind: 'unopened'; kids: string[] };

/**
 * Seals every signing key with another secret. A key that already opens with the new secret is left unchanged, so that a second run only handles keys
 * that a replica added during the first.
 */
export async function resealKeys(
  stored: SealedKeys,
  { from, to }: { from: Buffer; to: Buffer },
  context: AuditContext,
): Promise<Resealed> {
  const keys = await stored.all();
  const unopened = keys.filter(({ kid, sealedPrivateKey: sealed }) =>
    [to, from].every((one) => !open(one, kid, sealed)),
  );
  if (unopened.length > 0) return { kind: 'unopened', kids: unopened.map(({ kid }) => kid) };
  const resealed = await stored.replaceSealed(
    ({ kid, sealed }) => (open(to, kid, sealed) === undefined ? seal(to, kid, unseal(from, kid, sealed)) : undefined),
    context,
  );
  return { kind: 'done', resealed };
}

function open(secret: Buffer, kid: string, sealed: Buffer): Buffer | undefined {
  try {
    return unseal(secret, kid, sealed);
  } catch {
    return undefined;
  }
}
