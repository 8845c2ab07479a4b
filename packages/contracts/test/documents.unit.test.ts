import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import specs from '@asyncapi/specs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect } from 'chai';
import { parse } from 'yaml';
import { allDocuments } from '../generate/documents.ts';
import { authRoutes, events, notificationsRoutes, tasksRoutes, type Route } from '../src/index.ts';

type Json = Record<string, unknown>;
type Operation = { operationId: string; parameters?: { name: string; required: boolean }[]; responses: Record<string, Json> };
type OpenApi = { paths: Record<string, Record<string, Operation>>; components: { schemas: Record<string, Json> } };

const documents = new Map(allDocuments().map(({ path, content }) => [path, content as Json]));
const openApi = [...documents].filter(([path]) => path.startsWith('openapi/'));
const asyncApi = documents.get('asyncapi.yaml') ?? {};

describe('The generated documents', () => {
  for (const [path, document] of openApi) {
    it(`are valid OpenAPI 3.1: ${path}`, async () => {
      const validator = new Validator();
      const result = await validator.validate(structuredClone(document));
      expect(result.valid, JSON.stringify(result.errors)).to.equal(true);
      expect(validator.version).to.equal('3.1');
    });
  }

  it('are valid AsyncAPI 3', () => {
    const ajv = new Ajv({ strict: false, allErrors: false });
    addFormats.default(ajv);
    const validate = ajv.compile(specs.schemasWithoutId['3.0.0'] as Json);
    expect(validate(asyncApi), JSON.stringify(validate.errors?.slice(0, 3))).to.equal(true);
  });

  for (const [path, document] of [...openApi, ['asyncapi.yaml', asyncApi] as const]) {
    it(`contain no dangling references: ${path}`, () => {
      const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, pointer]) => pointer ?? '');
      expect(references).not.to.deep.equal([]);
      for (const pointer of new Set(references)) {
        const found = pointer.split('/').reduce<unknown>((value, part) => (value as Json | undefined)?.[part], document);
        expect(found, pointer).not.to.equal(undefined);
      }
    });
  }

  it('contain each route once, with the routes for services separate from those for front ends', () => {
    const documented = (part: RegExp) =>
      openApi
        .filter(([path]) => part.test(path))
        .flatMap(([, document]) => Object.values((document as OpenApi).paths).flatMap((methods) => Object.values(methods)))
        .map((operation) => operation.operationId);
    const routes: Route[] = [authRoutes, tasksRoutes, notificationsRoutes].flatMap((table) => Object.values(table));
    const isInternal = ({ access }: Route) => access.kind === 'service' && access.public !== true;
    const internal = routes.filter(isInternal).map(({ operationId }) => operationId);
    const open = routes.filter((route) => !isInternal(route)).map(({ operationId }) => operationId);
    expect(internal).not.to.include('claimJobs');
    expect(documented(/\.internal\.json$/)).to.have.members(internal);
    expect(documented(/^openapi\/\w+\.json$/)).to.have.members(open);
  });

  it('list the headers of a write, and every status that it can return', () => {
    const { paths } = documents.get('openapi/tasks.json') as OpenApi;
    const change = paths['/api/v1/tasks/{id}']?.['patch'];
    expect(change?.parameters).to.deep.include({
      name: 'If-Match',
      in: 'header',
      required: true,
      description: 'The ETag of the version to change, or `*` for any version.',
      schema: { type: 'string' },
      example: '"3"',
    });
    expect(Object.keys(change?.responses ?? {})).to.include.members(
      ['200', '400', '401', '403', '404', '412', '413', '415', '422', '428', '429', '500', '502', '503', '504'],
    );
    const create = paths['/api/v1/tasks']?.['post'];
    expect(create?.parameters?.map(({ name }) => name)).to.deep.equal(['Idempotency-Key']);
    expect(create?.responses['422']?.['$ref']).to.include('idempotency_key_reused').and.to.include('no_performers');
  });

  it('define each problem response once, for all operations that share it', () => {
    for (const [path, document] of openApi) {
      const { components, paths } = document as OpenApi & { components: { responses: Record<string, Json> } };
      const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
      const refused = operations.flatMap(({ responses }) =>
        Object.entries(responses).flatMap(([status, response]) => (status.startsWith('2') ? [] : [response])),
      );
      // an error response with a schema of its own (OAuth's errors) is defined in its operation
      const [referring, own] = [refused.filter(({ $ref }) => $ref !== undefined), refused.filter(({ $ref }) => $ref === undefined)];
      expect(JSON.stringify(own), path).not.to.include('problem+json');
      const referred = referring.map(({ $ref }) => $ref);
      const defined = Object.keys(components.responses).map((name) => `#/components/responses/${name}`);
      expect([...new Set(referred)].sort(), path).to.deep.equal(defined.sort());
      expect(JSON.stringify(components.responses), path).to.include('application/problem+json');
    }
  });

  it('leave the schemas of responses open, because fields may be added', () => {
    const { components } = documents.get('openapi/tasks.json') as OpenApi;
    expect(components.schemas['Task']).not.to.have.property('additionalProperties');
    expect(JSON.stringify(documents.get('events/tasks.task.created.schema.json'))).not.to.include('additionalProperties');
  });

  it('have a schema for every event, and the schema accepts the event\'s example', () => {
    const ajv = new Ajv2020({ strict: true });
    addFormats.default(ajv);
    const messages = (asyncApi['components'] as { messages: Record<string, { examples: { payload: unknown }[] }> }).messages;
    for (const type of Object.keys(events)) {
      const schema = documents.get(`events/${type}.schema.json`);
      expect(schema, type).not.to.equal(undefined);
      const example = messages[type]?.examples[0]?.payload;
      const validate = ajv.compile(schema as Json);
      expect(validate(example), type).to.equal(true);
      expect(validate({ ...(example as Json), timestamp: undefined }), type).to.equal(false);
      expect(events[type as keyof typeof events].safeParse(example).success, type).to.equal(true);
    }
  });

  it('contain example request bodies that the services accept', () => {
    for (const route of [authRoutes, tasksRoutes].flatMap((table) => Object.values(table))) {
      if (!('body' in route)) continue;
      const operation = openApi
        .flatMap(([, document]) => Object.values((document as OpenApi).paths).flatMap((methods) => Object.values(methods)))
        .find(({ operationId }) => operationId === route.operationId) as Json | undefined;
      const { content } = operation!['requestBody'] as { content: Record<string, { example: unknown }> };
      const result = route.body.safeParse(Object.values(content)[0]?.example);
      expect(result.success, `${route.operationId}: ${JSON.stringify(result.error?.issues)}`).to.equal(true);
    }
  });

  it('are generated byte by byte identically each time, and obsolete ones are removed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'taskwire-documents-'));
    try {
      const generator = fileURLToPath(new URL('../generate/generate.ts', import.meta.url));
      const write = async () => {
        execFileSync(process.execPath, [generator, folder]);
        const files = (await readdir(folder, { recursive: true })).filter((file) => /\.\w+$/.test(file)).sort();
        return await Promise.all(files.map(async (file) => [file, await readFile(join(folder, file), 'utf8')]));
      };
      const first = await write();
      execFileSync('touch', [join(folder, 'openapi', 'finance.json')]);
      expect(await write()).to.deep.equal(first);
      const yaml = first.find(([file]) => file === 'asyncapi.yaml')?.[1] ?? '';
      expect(parse(yaml)).to.deep.equal(JSON.parse(JSON.stringify(asyncApi)));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
