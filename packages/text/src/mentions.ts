/** A mention of a user in text: `<@` and `>` around the user's id, in either case. */
const mention = /<@([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})>/gi;

/** Returns the ids of the users whom the text mentions, in lower case, each once, in the order of their first mention. */
export function mentionsIn(text: string): string[] {
  return [...new Set([...text.matchAll(mention)].map(([, id = '']) => id.toLowerCase()))];
}
