import { breaking, note, type Finding } from './finding.ts';
import { object, strings, type Json } from './json.ts';
import type { Compare, Direction } from './direction.ts';

/** Findings for the fields of an object: added and removed fields, fields that became required or optional, and the schemas of the others. */
export function propertyFindings(where: string, before: Json, after: Json, direction: Direction, compare: Compare): Finding[] {
  const [was, is] = [object(before['properties']), object(after['properties'])];
  return [
    ...requirementFindings(where, before, after, direction),
    ...Object.keys(was).flatMap((name) =>
      name in is ? compare(`${where}.${name}`, was[name], is[name], direction) : [breaking(`${where}.${name}`, 'was removed')],
    ),
    ...Object.keys(is)
      .filter((name) => !(name in was) && !(direction === 'request' && strings(after['required']).includes(name)))
      .map((name) => addition(`${where}.${name}`, before, direction)),
    ...otherFields(where, before['additionalProperties'], after['additionalProperties'], direction, compare),
  ];
}

/** A closed object promises its readers that it has no other fields. */
function addition(where: string, before: Json, direction: Direction): Finding {
  const isClosed = direction === 'response' && before['additionalProperties'] === false;
  return isClosed ? breaking(where, 'was added to a closed object') : note(where, 'was added');
}

function requirementFindings(where: string, before: Json, after: Json, direction: Direction): Finding[] {
  const [was, is] = [strings(before['required']), strings(after['required'])];
  const [known, kept] = [object(before['properties']), object(after['properties'])];
  const became = is.filter((name) => !was.includes(name) && (direction === 'request' || name in known));
  const left = was.filter((name) => !is.includes(name) && name in kept);
  return direction === 'request'
    ? [
        ...became.map((name) => breaking(`${where}.${name}`, 'became required')),
        ...left.map((name) => note(`${where}.${name}`, 'became optional')),
      ]
    : [
        ...became.map((name) => note(`${where}.${name}`, 'is always present')),
        ...left.map((name) => breaking(`${where}.${name}`, 'may now be missing')),
      ];
}

/** `additionalProperties`: closed, open, or a schema for the other fields. */
function otherFields(where: string, before: unknown, after: unknown, direction: Direction, compare: Compare): Finding[] {
  const [was, is] = [opennessOf(before), opennessOf(after)];
  if (was === 'schema' && is === 'schema') return compare(`${where}.*`, before, after, direction);
  if (was === is) return [];
  if (direction === 'request') {
    const isWider = was === 'closed' || is === 'open';
    return [isWider ? note(where, 'accepts other fields') : breaking(where, 'no longer accepts other fields')];
  }
  if (was === 'schema' && is === 'closed') return [breaking(where, 'no longer has other fields')];
  const isNarrower = was === 'open' || is === 'closed';
  return [isNarrower ? note(where, 'has no other fields') : breaking(where, 'may now have any other fields')];
}

function opennessOf(value: unknown): 'closed' | 'open' | 'schema' {
  if (value === false) return 'closed';
  return value === undefined || value === true || Object.keys(object(value)).length === 0 ? 'open' : 'schema';
}
