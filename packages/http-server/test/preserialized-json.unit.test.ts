import { expect } from 'chai';
import { jsonText } from '@taskwire/contracts';
import { z } from 'zod';
import { PreserializedJson } from '../src/index.ts';

describe('A preserialized body', () => {
  const thing = z.object({ id: z.string() });

  it('is the JSON text of a value of its schema', () => {
    const body = new PreserializedJson(thing, jsonText(thing, { id: 'a' }));
    expect(thing.parse(JSON.parse(body.text))).to.deep.equal({ id: 'a' });
  });

  it('accepts neither plain text nor the text of another schema, according to the compiler', () => {
    const other = jsonText(z.object({ name: z.string() }), { name: 'a' });
    // @ts-expect-error plain text, whose type does not name the schema that describes it
    expect(new PreserializedJson(thing, '{}').text).to.equal('{}');
    // @ts-expect-error the text of another schema
    expect(new PreserializedJson(thing, other).text).to.equal('{"name":"a"}');
  });
});
