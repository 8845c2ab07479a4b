/**
 * The source of a regular expression, for JavaScript and PostgreSQL alike, that a type fits when it is given with a dot in front (so that `#`
 * may stand for no word at all). `pattern` is as in a binding: `*` is one word, `#` any number of them.
 */
export function typePattern(pattern: string): string {
  const words = pattern.split('.').map((word) => {
    if (word === '*') return '\\.[^.]+';
    if (word === '#') return '(?:\\.[^.]+)*';
    return `\\.${word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')}`;
  });
  return `^${words.join('')}$`;
}

/** Tells whether a type fits one of the patterns. */
export function typeMatcher(patterns: readonly string[]): (type: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(typePattern(pattern)));
  return (type) => expressions.some((expression) => expression.test(`.${type}`));
}
