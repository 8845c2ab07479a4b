import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { parse } from 'yaml';
import { root } from '../step.ts';

/** The source of a service that publishes: its readers of other services' events are left out. */
function sourcesOf(service: string): string {
  const folder = join(root, 'services', service, 'src');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name.endsWith('.ts') && !entry.parentPath.endsWith('/messaging'),
  );
  return files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8')).join('\n');
}

const isPublished = (type: string) => sourcesOf(type.split('.')[0] ?? '').includes(`'${type}'`);

describe('The events of AsyncAPI', () => {
  it('each occur in the source of the service that may publish them', () => {
    const document = parse(readFileSync(join(root, 'contracts/asyncapi.yaml'), 'utf8')) as { channels: object };
    const channels = Object.keys(document.channels);
    expect(channels).to.include('tasks.task.assigned');
    expect(channels.filter((type) => !isPublished(type))).to.deep.equal([]);
  });

  it('are not considered published when no service mentions them (canary)', () => {
    expect(isPublished('tasks.task.archived')).to.equal(false);
  });
});
