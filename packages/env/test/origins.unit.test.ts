import { expect } from 'chai';
import { z } from 'zod';
import { fields, readEnv } from '../src/index.ts';

const schema = z.object({ CORS_ORIGINS: fields.origins.default([]) });
const read = (CORS_ORIGINS: string) => readEnv(schema, { CORS_ORIGINS }).CORS_ORIGINS;

describe('a list of origins', () => {
  it('is parsed with or without spaces after commas, and is empty when it is not set', () => {
    expect(read('https://app.example.com, http://localhost:5173')).to.deep.equal([
      'https://app.example.com',
      'http://localhost:5173',
    ]);
    expect(read('')).to.deep.equal([]);
  });

  for (const [given, remedy] of [
    ['http://localhost:5173/', 'write http://localhost:5173'],
    ['https://App.Example.com/login?x#y', 'write https://app.example.com'],
    ['https://app.example.com:443', 'write https://app.example.com'],
    ['*', 'wildcards are not supported'],
    ['https://*.example.com', 'wildcards are not supported'],
    ['null', 'write each origin as scheme://host'],
    ['localhost:5173', 'write each origin as scheme://host'],
    ['ftp://files.example.com', 'write each origin as scheme://host'],
  ] as const) {
    it(`rejects ${given}, and explains the expected form`, () => {
      expect(() => read(`https://app.example.com,${given}`))
        .to.throw(`CORS_ORIGINS: has "${given}"`)
        .with.property('message')
        .that.includes(remedy);
    });
  }

  it('rejects an entry with a password without repeating it', () => {
    expect(() => read('https://user:secret@app.example.com'))
      .to.throw(/has an entry, which is not an origin/)
      .with.property('message')
      .that.does.not.include('secret');
  });
});
