import { breaking, note, type Finding } from './finding.ts';

type Row = { parties: Map<string, Set<string>>; conditions: string };

/** Differences between two tables of permissions: a role or party that loses access, or a condition that is added, breaks callers. */
export function permissionFindings(before: string, after: string): Finding[] {
  const [was, is] = [rowsOf(before), rowsOf(after)];
  // added and removed operations are reported for the OpenAPI documents
  return [...was].flatMap(([name, row]) => {
    const now = is.get(name);
    return now === undefined ? [] : [...partyFindings(name, row, now), ...conditionFindings(name, row, now)];
  });
}

function partyFindings(name: string, was: Row, is: Row): Finding[] {
  const cases = new Set([...was.parties.keys(), ...is.parties.keys()]);
  return [...cases].flatMap((each) => {
    const where = each === '' ? name : `${name} ${each}`;
    const [earlier, later] = [allowedIn(was, each), allowedIn(is, each)];
    return [
      ...missingFrom(later, earlier).map((party) => breaking(where, `is no longer for ${party}`)),
      ...missingFrom(earlier, later).map((party) => note(where, `is also for ${party}`)),
    ];
  });
}

/** Returns the parties of a case. A rule without cases applies to every case. */
function allowedIn({ parties }: Row, name: string): Set<string> {
  return parties.get(name) ?? parties.get('') ?? new Set();
}

/** Returns the wanted parties that are missing. "Every user" includes all other parties. */
function missingFrom(parties: Set<string>, wanted: Set<string>): string[] {
  return parties.has('every user') ? [] : [...wanted].filter((party) => !parties.has(party));
}

function conditionFindings(name: string, was: Row, is: Row): Finding[] {
  const sentences = (text: string) => text.split(/(?<=\.)\s+/).filter((sentence) => sentence !== '');
  const [earlier, later] = [sentences(was.conditions), sentences(is.conditions)];
  return [
    ...later.filter((each) => !earlier.includes(each)).map((each) => breaking(name, `has a new condition: ${each}`)),
    ...earlier.filter((each) => !later.includes(each)).map((each) => note(name, `no longer has the condition: ${each}`)),
  ];
}

/** The rows of the generated table by operation. Scopes are compared in the OpenAPI documents. */
function rowsOf(markdown: string): Map<string, Row> {
  const rows = markdown.split('\n').filter((line) => line.startsWith('| `'));
  return new Map(
    rows.map((line): [string, Row] => {
      const [operation = '', , parties = '', , conditions = ''] = line.split('|').slice(1).map((cell) => cell.trim());
      return [operation.replaceAll('`', ''), { parties: partiesOf(parties), conditions }];
    }),
  );
}

/** Parses text such as "admins and managers (`assign`); the creator (`title`, `labels`)". */
function partiesOf(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const group of text.split('; ')) {
    const [, names = '', cases = ''] = /^(.*?)(?: \((.*)\))?$/.exec(group) ?? [];
    const parties = names.split(/, | and /).filter((party) => party !== '');
    for (const name of cases === '' ? [''] : cases.replaceAll('`', '').split(', ')) {
      found.set(name, new Set([...(found.get(name) ?? []), ...parties]));
    }
  }
  return found;
}
