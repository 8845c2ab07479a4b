const unreleased = '## [Unreleased]';

/**
 * Gives the section `[Unreleased]` of a changelog its version and date, and opens a new, empty one above it.
 * @throws if there is no such section, or if it is empty: a release without a change is a mistake.
 */
export function closeSection(changelog: string, version: string, date: string): string {
  const [before, after] = changelog.split(`${unreleased}\n`);
  if (before === undefined || after === undefined) throw new Error(`CHANGELOG.md has no section "${unreleased}"`);
  const [section = ''] = after.split(/^## /m);
  if (section.trim() === '') throw new Error(`the section "${unreleased}" of CHANGELOG.md is empty`);
  return `${before}${unreleased}\n\n## [${version}] - ${date}\n${after}`;
}
