import { expect } from 'chai';
import { expectProblem, type Answer } from './support/api.ts';
import { contract, goodBodies, lists, withId, withJson, type Operation } from './support/operations.ts';
import { useUntouchedAuth } from './support/untouched-auth.ts';

describe('bad input to Auth', () => {
  const { harness, admin, service } = useUntouchedAuth();

  const tokenFor = (operation: Operation): string | undefined =>
    ({ anyone: undefined, user: admin().token, service: service() })[contract(operation).access.kind];

  async function send(
    operation: Operation,
    given: { body?: string; headers?: Record<string, string>; id?: string; query?: string },
  ): Promise<Answer> {
    const route = contract(operation);
    const token = tokenFor(operation);
    const path = route.path.replace('{id}', given.id ?? admin().id);
    return await harness().api.raw(`${path}${given.query ?? ''}`, {
      method: route.method.toUpperCase(),
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(given.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(route.ifMatch === undefined ? {} : { 'if-match': '*' }),
        ...given.headers,
      },
      ...(given.body === undefined ? {} : { body: given.body }),
    });
  }

  describe('in a body', () => {
    for (const operation of withJson) {
      const body = goodBodies[operation] ?? {};
      const fields = Object.keys(body);
      const mayBeEmpty = contract(operation).optionalBody === true;

      it(`sent to ${operation} is rejected with 400 if it is not JSON`, async () => {
        for (const broken of ['{', '{"a":}', 'name=x', '{"name":"\u0001"}']) {
          const answer = await send(operation, { body: broken });
          expect(answer.status).to.equal(400, broken);
          expectProblem(answer, 'malformed_json');
        }
        if (!mayBeEmpty) expect((await send(operation, {})).status).to.equal(400);
      });

      it(`sent to ${operation} is rejected with 422 if the JSON is not an object, or is empty`, async () => {
        for (const shape of ['null', '[]', '"text"', '1', 'true', ...(mayBeEmpty ? [] : ['{}'])]) {
          expectProblem(await send(operation, { body: shape }), 'invalid_input');
        }
      });

      it(`sent to ${operation} is rejected with 422 and the field's name for a wrong type, an empty or a far too long text`, async () => {
        for (const field of fields) {
          for (const wrong of [null, 1, true, {}, [], '', 'x'.repeat(5_000)]) {
            const answer = await send(operation, { body: JSON.stringify({ ...body, [field]: wrong }) });
            expect(answer.status).to.equal(422, `${field}: ${JSON.stringify(wrong)?.slice(0, 20)}`);
            const faults = expectProblem(answer, 'invalid_input').errors ?? [];
            expect(faults.map((fault) => fault.field)).to.include(field);
          }
        }
      });

      it(`sent to ${operation} is rejected with 422 for an unknown field, including names with a meaning in JavaScript`, async () => {
        for (const field of ['is_admin', '__proto__', 'constructor', 'toString']) {
          const text = `{${JSON.stringify(body).slice(1, -1)},${JSON.stringify(field)}:{"role":"admin"}}`;
          expectProblem(await send(operation, { body: text }), 'invalid_input');
        }
      });

      it(`sent to ${operation} is rejected with 415 for an unsupported media type`, async () => {
        for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x']) {
          const answer = await send(operation, { body: JSON.stringify(body), headers: { 'content-type': type } });
          expect(answer.status).to.equal(415, type);
          expectProblem(answer, 'unsupported_media_type');
        }
        const zipped = await send(operation, { body: JSON.stringify(body), headers: { 'content-encoding': 'zip' } });
        expectProblem(zipped, 'unsupported_media_type');
      });

      it(`sent to ${operation} is rejected with 413 beyond a mebibyte`, async () => {
        const answer = await send(operation, { body: JSON.stringify({ ...body, name: 'x'.repeat(1_100_000) }) });
        expect(answer.status).to.equal(413);
        expectProblem(answer, 'payload_too_large');
      });
    }

    it('is rejected with 422 if it breaks a rule of a field', async () => {
      const { register: account } = goodBodies;
      const rules: [string, unknown][] = [
        ['email', 'no-at-sign'],
        ['email', 'two@@example.org'],
        ['email', 'a@b@c.org'],
        ['email', 'new\nline@example.org'],
        ['email', `${'x'.repeat(250)}@example.org`],
        ['password', 'seven77'],
        ['password', 'x'.repeat(257)],
        ['name', '   '],
        ['name', 'nul\u0000'],
        ['name', 'bell\u0007'],
        ['name', 'x'.repeat(101)],
      ];
      for (const [field, value] of rules) {
        const answer = await send('register', { body: JSON.stringify({ ...account, [field]: value }) });
        expect(expectProblem(answer, 'invalid_input').errors?.[0]?.field).to.equal(field, JSON.stringify(value));
      }
      const role = await send('changeUser', { body: JSON.stringify({ role: 'accountant' }) });
      expectProblem(role, 'invalid_input');
    });

    it('is not repeated in the response', async () => {
      const secret = 'my-secret-that-is-7';
      const answer = await send('login', { body: JSON.stringify({ email: 1, password: secret, [secret]: secret }) });
      expect(
        answer.text.replaceAll(`"field":"${secret}"`, '').replaceAll(`Invalid fields: email, ${secret}`, ''),
      ).not.to.contain(secret);
    });
  });

  describe('in a URL', () => {
    for (const operation of withId) {
      it(`sent to ${operation} is rejected with 422 for an id that is not a UUID`, async () => {
        for (const id of ['1', 'null', `${admin().id}0`, 'x'.repeat(36), '%27%20OR%201', '%00']) {
          const body = goodBodies[operation];
          const answer = await send(operation, { id, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
          expect(answer.status).to.equal(422, id);
          expectProblem(answer, 'invalid_input');
        }
        const undecodable = await send(operation, { id: '%ff' });
        expect(undecodable.status).to.equal(400);
        expectProblem(undecodable, 'bad_request');
      });
    }

    for (const operation of lists) {
      it(`sent to ${operation} is rejected with 400 for an invalid cursor`, async () => {
        const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
        const foreign = [made([1]), made(['x']), made({}), made([['a']]), made(null), made(['2020-01-01', admin().id])];
        for (const cursor of ['x', '%00', 'ä', '..', ...foreign]) {
          const answer = await send(operation, { query: `?cursor=${encodeURIComponent(cursor)}` });
          expect(answer.status).to.equal(400, cursor);
          expectProblem(answer, 'bad_cursor');
        }
      });

      it(`sent to ${operation} is rejected with 422 for a query parameter that is invalid, unknown or repeated`, async () => {
        const wrong = ['limit=0', 'limit=101', 'limit=-1', 'limit=1.5', 'limit=x', 'limit=', 'limit=1e1', 'cursor='];
        for (const query of [...wrong, `cursor=${'x'.repeat(1_001)}`, 'page=2', 'limit=1&limit=2', 'limit[a]=1']) {
          expectProblem(await send(operation, { query: `?${query}` }), 'invalid_input');
        }
      });
    }

    it('sent to listUsers is rejected with 422 for an impossible role or search', async () => {
      for (const query of ['role=boss', 'role=', 'q=', `q=${'x'.repeat(101)}`, 'q=%00', 'q=%20']) {
        expectProblem(await send('listUsers', { query: `?${query}` }), 'invalid_input');
      }
    });

    it('sent to listInternalUsers is rejected with 422 for an invalid time', async () => {
      for (const time of ['yesterday', '2020-01-01', '2020-02-30T00:00:00Z', '2020-01-01T00:00:00', '1', '']) {
        expectProblem(await send('listInternalUsers', { query: `?updated_since=${time}` }), 'invalid_input');
      }
    });

    it('is rejected with 404 for an unknown path and 405 for an unsupported method', async () => {
      expectProblem(await harness().api.raw('/api/v1/nothing'), 'not_found');
      const answer = await harness().api.raw('/api/v1/users/me', { method: 'PUT' });
      expect(answer.status).to.equal(405);
      expectProblem(answer, 'method_not_allowed');
      expect(answer.headers.get('allow')).to.contain('GET');
    });
  });

  describe('in If-Match', () => {
    for (const operation of ['changeUser', 'deleteUser'] as const) {
      it(`sent to ${operation} is rejected with 400 if it is not an entity tag`, async () => {
        for (const tag of ['1', '"1', 'W/1', 'x'.repeat(2_000)]) {
          const body = goodBodies[operation];
          const answer = await send(operation, {
            headers: { 'if-match': tag },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          });
          expect(answer.status).to.equal(400, tag);
          expectProblem(answer, 'bad_etag');
        }
      });
    }
  });
});
