/** The version in an If-Match that names exactly one. A change based on it can be repeated, because it takes effect at most once. */
export function concreteVersion(ifMatch: string | undefined): number | undefined {
  const version = /^(?:W\/)?"(\d+)[^"]*"$/.exec(ifMatch ?? '')?.[1];
  return version === undefined ? undefined : Number(version);
}

/** The header for a given version. */
export function ifMatchHeader(given: string | number | undefined): string | undefined {
  return typeof given === 'number' ? `"${given}"` : given;
}

/** Whether a resource is in the state to which a change of `version` leads: the next version, with every field that was sent. */
export function wasApplied(sent: unknown, found: unknown, version: number): boolean {
  const resource = found as Record<string, unknown> | null;
  if (typeof sent !== 'object' || sent === null || resource?.['version'] !== version + 1) return false;
  return Object.entries(sent).every(([name, value]) => value === undefined || isSame(value, resource[name]));
}

/** Compares values as the services store them: text trimmed and in one normal form, times as instants. */
function isSame(sent: unknown, found: unknown): boolean {
  if (Array.isArray(sent)) {
    return (
      Array.isArray(found) && sent.length === found.length && sent.every((item, index) => isSame(item, found[index]))
    );
  }
  if (typeof sent !== 'string' || typeof found !== 'string') return sent === found;
  if (sent === found || sent.trim().normalize('NFC') === found.normalize('NFC')) return true;
  return /^\d{4}-\d\d-\d\dT/.test(sent) && Date.parse(sent) === Date.parse(found);
}
