import { expect } from 'chai';
import { stringify } from 'yaml';
import { compareDocuments } from '../generate/compatibility/compare.ts';
import { asyncApiFindings, eventFindings } from '../generate/compatibility/events.ts';
import { judgementOf, type Finding } from '../generate/compatibility/finding.ts';
import { openApiFindings } from '../generate/compatibility/operations.ts';
import { allDocuments } from '../generate/documents.ts';
import type { Mutation } from './mutations.ts';

export type Json = Record<string, unknown>;

export const documents = new Map(allDocuments().map(({ path, content }) => [path, content]));

export const textOf = (path: string, content: unknown): string => {
  if (typeof content === 'string') return content;
  return path.endsWith('.yaml') ? stringify(content, { aliasDuplicateObjects: false }) : JSON.stringify(content);
};

const verdict = (findings: readonly Finding[]) => ({
  judgement: judgementOf(findings),
  texts: findings.map(({ text }) => text),
});

export const judged = (path: string, before: unknown, after: unknown) =>
  verdict(compareDocuments(new Map([[path, textOf(path, before)]]), new Map([[path, textOf(path, after)]])));

/** The comparison of parsed documents: writing and reading YAML for each change would take most of the time. */
function comparisonOf(path: string): (before: Json, after: Json) => Finding[] {
  if (path === 'asyncapi.yaml') return asyncApiFindings;
  return path.startsWith('events/') ? eventFindings : openApiFindings;
}

/** The value behind a key. A reference is replaced by a copy of its target, so that a change has no effect elsewhere. */
function step(document: Json, value: unknown, key: string): unknown {
  const parent = value as Json | undefined;
  const { $ref: reference, ...beside } = (parent?.[key] ?? {}) as Json;
  if (parent === undefined || typeof reference !== 'string') return parent?.[key];
  const target = reference.slice(2).split('/').reduce<unknown>((each, part) => step(document, each, part), document);
  parent[key] = { ...structuredClone(target as Json), ...beside };
  return parent[key];
}

/** The keys that the words of a path abbreviate. */
function keysOf(document: Json, words: readonly string[]): string[] {
  let place: unknown = document;
  return words.flatMap((word) => {
    const keys = keysOfWord(document, place, word);
    place = keys.reduce<unknown>((value, key) => step(document, value, key), place);
    return keys;
  });
}

function keysOfWord(document: Json, place: unknown, word: string): string[] {
  const [kind = '', name = '', , status = ''] = word.split(' ');
  if (word.startsWith('#')) return operationKeys(document, word.slice(1));
  if (word.startsWith('.')) return ['properties', word.slice(1)];
  if (word === 'body') return ['requestBody', 'content', 'application/json', 'schema'];
  if (kind === 'answer') return ['responses', name, 'content', 'application/json', 'schema'];
  if (status !== '') return ['responses', status, 'headers', name];
  if (name === '') return [word];
  const parameters = (place as { parameters: Json[] }).parameters;
  return ['parameters', String(parameters.findIndex((each) => each['in'] === kind && each['name'] === name))];
}

function operationKeys(document: Json, id: string): string[] {
  for (const [path, methods] of Object.entries(document['paths'] as Record<string, Json>)) {
    for (const [method, operation] of Object.entries(methods)) {
      if ((operation as Json)['operationId'] === id) return ['paths', path, method];
    }
  }
  throw new Error(`no operation ${id}`);
}

function mutated(document: Json, { change, path, value }: Mutation): Json {
  const changed = structuredClone(document);
  const keys = keysOf(changed, path.split(' > '));
  const last = keys.at(-1) ?? '';
  const parent = keys.slice(0, -1).reduce<unknown>((each, key) => step(changed, each, key), changed) as Json | undefined;
  const old = parent === undefined ? undefined : step(changed, parent, last);
  if (parent === undefined || (change !== 'set' && old === undefined)) throw new Error(`nothing at ${path}`);
  if (change === 'set') parent[last] = value;
  else if (change === 'remove' && Array.isArray(parent)) parent.splice(Number(last), 1);
  else if (change === 'remove') Reflect.deleteProperty(parent, last);
  else if (change === 'add') (old as unknown[]).push(value);
  else if (change === 'drop') {
    const list = old as unknown[];
    expect(list).to.include(value);
    list.splice(list.indexOf(value), 1);
  } else {
    Reflect.deleteProperty(parent, last);
    parent[String(value)] = old;
  }
  return changed;
}

/** Returns the judgements that differ from the expected ones. */
export function wrongJudgements(changes: readonly Mutation[]): string[] {
  return changes.flatMap((mutation) => {
    const before = JSON.parse(JSON.stringify(documents.get(mutation.document))) as Json;
    const after = mutated(before, mutation);
    expect(JSON.stringify(after), `${mutation.path} changes nothing`).not.to.equal(JSON.stringify(before));
    const { judgement, texts } = verdict(comparisonOf(mutation.document)(before, after));
    const { judgement: expected, change, path, value } = mutation;
    return judgement === expected ? [] : [`${change} ${path} ${JSON.stringify(value)}: ${judgement}, not ${expected} (${texts.slice(0, 3).join('; ')})`];
  });
}
