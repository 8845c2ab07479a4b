/**
 * Returns the source of a regular expression, valid in JavaScript and PostgreSQL, for matching types against a binding pattern: `*` matches one word,
 * `#` any number of words. Prefix the type with a dot before matching, so that `#` can match zero words.
 */
export function typePattern(pattern: string): string {
  const words = pattern.split('.').map((word) => {
    if (word === '*') return '\\.[^.]+';
    if (word === '#') return '(?:\\.[^.]+)*';
    return `\\.${word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
  });
  return `^${words.join('')}$`;
}

/** Returns a function that reports whether a type matches one of the patterns. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(typePattern(pattern)));
  return (type) => expressions.some((expression) => expression.test(`.${type}`));
}
