import { expect } from 'chai';
import { compareDocuments } from '../generate/compatibility/compare.ts';
import { judgementOf } from '../generate/compatibility/finding.ts';
import { documents, judged, textOf, wrongJudgements, type Json } from './judging.ts';
import { mutations, permissionMutations } from './mutations.ts';

describe('The judgement of differences between contracts', () => {
  it('finds nothing in unchanged documents', () => {
    const texts = new Map([...documents].map(([path, content]) => [path, textOf(path, content)]));
    expect(compareDocuments(texts, texts)).to.deep.equal([]);
  });

  it('is right for an eighth of the changes to the real documents', () => {
    expect(wrongJudgements(mutations.filter((_, index) => index % 8 === 0))).to.deep.equal([]);
  });

  it('is right for changes of who may call an operation', () => {
    const before = String(documents.get('permissions.md'));
    const wrong = permissionMutations.flatMap(([expected, operation, from, to]) => {
      const row = before.split('\n').find((line) => line.startsWith(`| \`${operation}\` |`)) ?? '';
      expect(row, operation).to.include(from);
      const { judgement, texts } = judged('permissions.md', before, before.replace(row, row.replace(from, to)));
      return judgement === expected ? [] : [`${operation} ${to}: ${judgement}, not ${expected} (${texts.join('; ')})`];
    });
    expect(wrong).to.deep.equal([]);
  });

  it('reports a removed document as a break and a new one as a note, and ignores files that are not documents', () => {
    const of = (path: string, before: string | undefined, after: string | undefined) => {
      const texts = (text: string | undefined) => new Map(text === undefined ? [] : [[path, text]]);
      return judgementOf(compareDocuments(texts(before), texts(after)));
    };
    expect(of('events/a.schema.json', '{}', undefined)).to.equal('break');
    expect(of('events/a.schema.json', undefined, '{}')).to.equal('note');
    expect(of('pacts/a-b.json', '{}', undefined)).to.equal('nothing');
  });

  it('finds nothing when a schema moves to the components, or is split into allOf', () => {
    const before = documents.get('openapi/tasks.json') as Json;
    const after = structuredClone(before) as { components: { schemas: Record<string, Json> } } & Json;
    const task = after.components.schemas['Task'] as { properties: Json; required: string[] } & Json;
    const { title, ...properties } = task.properties;
    after.components.schemas['Titled'] = { type: 'object', properties: { title }, required: ['title'] };
    after.components.schemas['Task'] = { allOf: [{ $ref: '#/components/schemas/Titled' }, { ...task, properties }] };
    expect(judged('openapi/tasks.json', before, after)).to.deep.equal({ judgement: 'nothing', texts: [] });
  });
});
