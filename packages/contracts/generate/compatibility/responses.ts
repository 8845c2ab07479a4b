import { breaking, note, type Finding } from './finding.ts';
import { object, resolve, unjudged, type Json } from './json.ts';
import type { Compare } from './direction.ts';

type Context = { before: Json; after: Json; compare: Compare };

const judged = new Set(['description', 'headers', 'content']);
const problemType = 'application/problem+json';

/**
 * Differences between the responses of an operation by status. A removed status or problem code breaks callers that rely on it; a new one is a note,
 * because callers must expect any status and code.
 */
export function responseFindings(name: string, before: Map<string, Json>, after: Map<string, Json>, context: Context): Finding[] {
  return [
    ...[...before].flatMap(([status, was]) => {
      const is = after.get(status);
      const where = `${name} ${status}`;
      if (is === undefined) return [breaking(where, 'was removed')];
      return [
        ...headerFindings(where, object(was['headers']), object(is['headers']), context),
        ...contentFindings(where, object(was['content']), object(is['content']), context),
        ...unjudged(where, was, is, judged),
      ];
    }),
    ...[...after.keys()].filter((status) => !before.has(status)).map((status) => note(`${name} ${status}`, 'was added')),
  ];
}

function headerFindings(where: string, was: Json, is: Json, { before, after, compare }: Context): Finding[] {
  return [
    ...Object.keys(was).flatMap((header) => {
      const place = `${where} header ${header}`;
      if (!(header in is)) return [breaking(place, 'was removed')];
      const [earlier, later] = [resolve(before, was[header]), resolve(after, is[header])];
      const mayBeMissing = earlier['required'] === true && later['required'] !== true;
      return [
        ...(mayBeMissing ? [breaking(place, 'may now be missing')] : []),
        ...compare(place, earlier['schema'], later['schema'], 'response'),
      ];
    }),
    ...Object.keys(is).filter((header) => !(header in was)).map((header) => note(`${where} header ${header}`, 'was added')),
  ];
}

function contentFindings(where: string, was: Json, is: Json, { compare }: Context): Finding[] {
  const hadBody = Object.keys(was).length > 0;
  if (hadBody && Object.keys(is).length === 0) return [breaking(where, 'no longer has a body')];
  return [
    ...Object.keys(was).flatMap((type) => {
      if (!(type in is)) return [breaking(where, `is no longer ${type}`)];
      const [earlier, later] = [object(was[type]), object(is[type])];
      return [
        ...compare(where, earlier['schema'], later['schema'], 'response'),
        ...(type === problemType ? codeFindings(where, object(earlier['examples']), object(later['examples'])) : []),
      ];
    }),
    ...Object.keys(is).filter((type) => !(type in was)).map((type) => note(where, hadBody ? `may also be ${type}` : 'has a body')),
  ];
}

/** The problem codes of a status, which the documents list as its examples. */
function codeFindings(where: string, was: Json, is: Json): Finding[] {
  return [
    ...Object.keys(was).filter((code) => !(code in is)).map((code) => breaking(`${where} problem ${code}`, 'was removed')),
    ...Object.keys(is).filter((code) => !(code in was)).map((code) => note(`${where} problem ${code}`, 'was added')),
  ];
}
