import { resolve, type Json } from './json.ts';

/**
 * Creates a comparison of schemas, each within its document: true if both are the same text, including everything that they refer to. It is false for
 * some schemas without a difference, such as those with another order of keys or with a reference to themselves.
 */
export function createUnchanged(before: Json, after: Json): (was: unknown, is: unknown) => boolean {
  const targets = new Map<string, boolean>();

  function isUnchanged(was: unknown, is: unknown): boolean {
    const text = JSON.stringify(was) as string | undefined;
    return text === JSON.stringify(is) && referencesIn(text ?? '').every(isTargetUnchanged);
  }

  function isTargetUnchanged($ref: string): boolean {
    const known = targets.get($ref);
    if (known !== undefined) return known;
    // the result for a reference back to this target while the target is being compared
    targets.set($ref, false);
    const unchanged = isUnchanged(resolve(before, { $ref }), resolve(after, { $ref }));
    targets.set($ref, unchanged);
    return unchanged;
  }

  return isUnchanged;
}

function referencesIn(text: string): string[] {
  return [...text.matchAll(/"\$ref":"([^"]+)"/g)].map(([, reference = '']) => reference);
}
