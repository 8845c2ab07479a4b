import { parse } from 'yaml';
import { asyncApiFindings, eventFindings } from './events.ts';
import { breaking, note, type Finding } from './finding.ts';
import { object } from './json.ts';
import { openApiFindings } from './operations.ts';
import { permissionFindings } from './permissions.ts';

/** The texts of documents by their paths relative to `contracts/`. */
export type DocumentTexts = ReadonlyMap<string, string>;

/** Classifies every difference between two versions of the documents. Ignores files that are not documents, such as pacts. */
export function compareDocuments(before: DocumentTexts, after: DocumentTexts): Finding[] {
  const paths = [...new Set([...before.keys(), ...after.keys()])].filter((path) => comparisonOf(path) !== undefined);
  return paths.toSorted().flatMap((path) => {
    const [was, is] = [before.get(path), after.get(path)];
    if (was === undefined) return [note(path, 'was added')];
    if (is === undefined) return [breaking(path, 'was removed')];
    return (comparisonOf(path)?.(was, is) ?? []).map((finding) => ({ ...finding, text: `${path} ${finding.text}` }));
  });
}

type Comparison = (before: string, after: string) => Finding[];

function comparisonOf(path: string): Comparison | undefined {
  if (path === 'permissions.md') return permissionFindings;
  if (path === 'asyncapi.yaml') return (before, after) => asyncApiFindings(object(parse(before)), object(parse(after)));
  if (path.startsWith('openapi/')) return (before, after) => openApiFindings(object(JSON.parse(before)), object(JSON.parse(after)));
  if (path.startsWith('events/')) return (before, after) => eventFindings(object(JSON.parse(before)), object(JSON.parse(after)));
  return undefined;
}
