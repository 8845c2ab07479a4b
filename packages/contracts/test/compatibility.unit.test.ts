import { expect } from 'chai';
import { z } from 'zod';
import { eventFindings } from '../generate/compatibility/events.ts';
import type { Finding } from '../generate/compatibility/finding.ts';
import { openApiFindings } from '../generate/compatibility/operations.ts';
import { openApiDocument } from '../generate/openapi.ts';
import { defineRoute, type Route } from '../src/index.ts';

type Json = Record<string, unknown>;

const change = defineRoute({
  method: 'patch',
  path: '/things/{id}',
  operationId: 'changeThing',
  summary: 'Change a thing',
  tag: 'Things',
  access: { kind: 'user', scopes: ['tasks:read'] },
  params: z.strictObject({ id: z.guid() }),
  query: z.strictObject({ dry: z.enum(['true', 'false']).optional() }),
  body: z.strictObject({
    name: z.string().max(100),
    color: z.enum(['red', 'blue']).optional(),
    owner: z.union([z.guid(), z.literal('me')]).optional(),
  }),
  ifMatch: 'optional',
  responses: { 200: z.object({ id: z.string(), name: z.string(), size: z.int().nullable(), tags: z.array(z.string()) }) },
});

const document = (...routes: Route[]) =>
  openApiDocument({ title: 'Things', description: '', serverUrl: '/', routes });
const { body, query, responses } = change;
const breaksIn = (findings: readonly Finding[]) => findings.filter(({ judgement }) => judgement === 'break').map(({ text }) => text);
const openApiBreaks = (before: Json, after: Json) => breaksIn(openApiFindings(before, after));
const eventBreaks = (before: Json, after: Json) => breaksIn(eventFindings(before, after));
const breaks = (changed: Partial<Route>) => openApiBreaks(document(change), document({ ...change, ...changed }));

describe('The comparison of contracts', () => {
  const where = 'PATCH /things/{id}';

  it('accepts additions', () => {
    const added = breaks({
      summary: 'Other words',
      query: query.extend({ force: z.string().optional() }),
      body: body.extend({ note: z.string().optional(), color: z.enum(['red', 'blue', 'green']).optional() }),
      responses: { 200: responses[200].extend({ age: z.int() }), 202: null },
      problems: ['conflict'],
    });
    expect(added).to.deep.equal([]);
    expect(openApiBreaks(document(change), document(change, { ...change, path: '/others/{id}' }))).to.deep.equal([]);
  });

  const refused: [string, Partial<Route>, string][] = [
    ['a required field', { body: body.extend({ note: z.string() }) }, `${where} body.note: became required`],
    ['a field that became required', { body: body.required({ color: true }) }, `${where} body.color: became required`],
    ['a field that is no longer accepted', { body: body.omit({ color: true }) }, `${where} body.color: was removed`],
    ['a value that is no longer accepted', { body: body.extend({ color: z.enum(['red']).optional() }) }, `${where} body.color: no longer accepts blue`],
    ['a tighter bound', { body: body.extend({ name: z.string().max(50) }) }, `${where} body.name: maxLength became 50`],
    ['a different type', { body: body.extend({ name: z.int() }) }, `${where} body.name: is integer instead of string`],
    ['a branch that is no longer accepted', { body: body.extend({ owner: z.guid().optional() }) }, `${where} body.owner: no longer accepts me`],
    ['a required parameter', { query: query.required() }, `${where} query dry: became required`],
    ['a removed parameter', { query: z.strictObject({}) }, `${where} query dry: was removed`],
    ['a required header', { ifMatch: 'required' }, `${where} header If-Match: became required`],
    ['a field removed from a response', { responses: { 200: responses[200].omit({ name: true }) } }, `${where} 200.name: was removed`],
    ['a field that may be missing', { responses: { 200: responses[200].partial({ name: true }) } }, `${where} 200.name: may now be missing`],
    ['a field that may be null', { responses: { 200: responses[200].extend({ name: z.string().nullable() }) } }, `${where} 200.name: may now be null`],
    ['items of a different type', { responses: { 200: responses[200].extend({ tags: z.array(z.int()) }) } }, `${where} 200.tags[]: is integer instead of string`],
    ['a different status', { responses: { 204: null } }, `${where} 200: was removed`],
    ['a different media type', { bodyType: 'application/x-www-form-urlencoded' }, `${where} body: no longer accepts application/json`],
  ];
  for (const [what, changed, fault] of refused) {
    it(`rejects ${what}`, () => expect(breaks(changed)).to.deep.equal([fault]));
  }

  it('accepts a new optional body, and rejects a new required one', () => {
    const { body: _, ...bare } = change;
    const adds = (added: Partial<Route>) => openApiBreaks(document(bare), document({ ...bare, ...added }));
    expect(adds({ body, optionalBody: true })).to.deep.equal([]);
    expect(adds({ body })).to.deep.equal([`${where} body: became required`]);
    const optional = document({ ...change, optionalBody: true });
    expect(openApiBreaks(optional, document(change))).to.deep.equal([`${where} body: became required`]);
  });

  it('compares responses wherever the document defines them', () => {
    const shared = (changed: Partial<Route>) => {
      const made = structuredClone(document({ ...change, ...changed })) as { paths: Json; components: { responses: Json } };
      const operation = (made.paths['/things/{id}'] as Record<string, { responses: Json }>)['patch'];
      made.components.responses['thing'] = operation?.responses['200'];
      operation!.responses['200'] = { $ref: '#/components/responses/thing' };
      return made;
    };
    expect(openApiBreaks(document(change), shared({}))).to.deep.equal([]);
    const less = shared({ responses: { 200: responses[200].omit({ name: true }) } });
    expect(openApiBreaks(document(change), less)).to.deep.equal([`${where} 200.name: was removed`]);
  });

  it('accepts a deprecation, which the document announces with its headers', () => {
    const deprecated = { since: '2027-01-01', sunset: '2027-05-01' };
    expect(breaks({ deprecated })).to.deep.equal([]);
    const text = JSON.stringify(document({ ...change, deprecated }));
    expect(text).to.include('"x-sunset":"2027-05-01"').and.to.include('"$ref":"#/components/headers/Sunset"');
    expect(JSON.stringify(document(change))).not.to.include('Sunset');
  });

  it('rejects the removal of a route', () => {
    expect(openApiBreaks(document(change), document())).to.deep.equal([`${where}: was removed`]);
  });

  it('rejects an event that loses a field, and accepts an event that gains one', () => {
    const event = { title: 'things.thing.made', ...z.toJSONSchema(z.looseObject({ id: z.string(), by: z.string().nullable() })) };
    const breaksOf = (schema: z.ZodType) => eventBreaks(event, z.toJSONSchema(schema));
    expect(breaksOf(z.looseObject({ id: z.string(), by: z.string().nullable(), at: z.string() }))).to.deep.equal([]);
    expect(breaksOf(z.looseObject({ id: z.string() }))).to.deep.equal(['things.thing.made.by: was removed']);
    expect(breaksOf(z.looseObject({ id: z.string().optional(), by: z.string() }))).to.deep.equal(['things.thing.made.id: may now be missing']);
  });
});
