import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { parse } from 'yaml';

type Component = { type: string; inputs?: string[]; [option: string]: unknown };
type Configuration = Partial<Record<'sources' | 'transforms' | 'sinks', Record<string, Component>>>;

const folder = fileURLToPath(new URL('../vector/', import.meta.url));
const text = (file: string): string => readFileSync(`${folder}${file}`, 'utf8');
const read = (file: string): Configuration => parse(text(file), { strict: true, uniqueKeys: true }) as Configuration;
const documented = readFileSync(fileURLToPath(new URL('../../../docs/observability.md', import.meta.url)), 'utf8');

const sources = ['kubernetes.yaml', 'docker.yaml'];
const destinations = ['loki.yaml', 'elasticsearch.yaml'];

describe('the configuration of Vector', () => {
  it('consists of the lines, two sources and two destinations', () => {
    expect(readdirSync(folder).toSorted()).to.deep.equal(['lines.yaml', ...sources, ...destinations].toSorted());
  });

  for (const source of sources)
    for (const destination of destinations)
      it(`connects every component to existing ones: ${source} and ${destination}`, () => {
        const files = ['lines.yaml', source, destination].map(read);
        const components = files.flatMap((file) => Object.values(file).flatMap((kind) => Object.entries(kind)));
        const ids = components.map(([id]) => id);
        expect(ids).to.deep.equal([...new Set(ids)]);
        const inputs = components.flatMap(([, { inputs: of = [] }]) => of);
        expect(new Set(inputs)).to.deep.equal(new Set(['containers', 'lines']));
        expect(ids).to.include.members(inputs);
        expect(files.filter(({ sinks }) => sinks !== undefined)).to.have.length(1);
      });

  it('needs only documented variables', () => {
    const variables = [...sources, ...destinations, 'lines.yaml'].flatMap((file) =>
      [...text(file).matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name),
    );
    expect(variables).to.have.members(['LOKI_URL', 'ELASTICSEARCH_URL']);
    for (const name of variables) expect(documented).to.include(name);
  });

  it('makes no label of an id, because Loki keeps a stream for each value', () => {
    const { loki } = read('loki.yaml').sinks!;
    expect(loki!['labels']).to.have.all.keys('service', 'level');
    const metadata = Object.keys(loki!['structured_metadata'] as object);
    expect(metadata).to.have.members(['request_id', 'task_id', 'user_id', 'message_id', 'trace_id']);
  });
});
