import manifest from '../package.json' with { type: 'json' };

/** The release of this build, such as `0.2.0`, or, between releases, the previous release. `npm run release` sets it. */
export const release: string = manifest.version;

/** Returns the name of a session in `pg_stat_activity`, which ends with the release: `taskwire tasks 0.2.0`. */
export function sessionName(name: string): string {
  return `${name} ${release}`;
}

/** Compares two releases: negative if `a` is older, 0 if they are equal. @throws if one is not of the form `1.2.3`. */
export function compareReleases(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)];
  return left.map((part, index) => part - (right[index] ?? 0)).find((difference) => difference !== 0) ?? 0;
}

/** Whether the text is a release, such as `0.2.0`. */
export function isRelease(text: string): boolean {
  return /^\d{1,6}\.\d{1,6}\.\d{1,6}$/.test(text);
}

function partsOf(text: string): number[] {
  if (!isRelease(text)) throw new Error(`"${text}" is not a release; a release is written as 1.2.3`);
  return text.split('.').map(Number);
}
