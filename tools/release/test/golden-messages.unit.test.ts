import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { events } from '@taskwire/contracts';
import { expect } from 'chai';
import { parse } from 'yaml';
import { fileOfRelease, readRecords, type ReleaseRecord } from '../records.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

type Decoders = Readonly<Record<string, { safeParse(payload: unknown): { success: boolean } }>>;
type Messages = Record<string, { examples: { payload: unknown }[] }>;

function messagesOf(asyncApi: string): Messages {
  return (parse(asyncApi) as { components: { messages: Messages } }).components.messages;
}

/** Returns the decoders of a release, from its own source: every consumer decodes an event with the schema of its type. */
async function decodersOf(release: ReleaseRecord): Promise<Decoders> {
  const source = fileOfRelease(root, release, 'packages/contracts/src/events/events.ts') ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-release-'));
  try {
    const file = join(folder, 'events.mjs');
    writeFileSync(file, stripTypeScriptTypes(source).replace("from 'zod'", `from '${import.meta.resolve('zod')}'`));
    return ((await import(pathToFileURL(file).href)) as { events: Decoders }).events;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Returns the messages that the decoder for their type rejects. */
function rejected(messages: Messages, decoders: Decoders): string[] {
  return Object.entries(messages).flatMap(([type, { examples }]) =>
    examples.every(({ payload }) => decoders[type]?.safeParse(payload).success !== false) ? [] : [type],
  );
}

describe('Golden messages', () => {
  const now = messagesOf(readFileSync(join(root, 'contracts/asyncapi.yaml'), 'utf8'));

  for (const release of readRecords(root)) {
    it(`of release ${release.version} are decoded by the consumers of this version`, () => {
      const golden = messagesOf(fileOfRelease(root, release, 'contracts/asyncapi.yaml') ?? '');
      expect(Object.keys(golden)).to.include('tasks.task.assigned');
      expect(rejected(golden, events)).to.deep.equal([]);
    });

    it(`of this version are decoded by the consumers of release ${release.version}`, async () => {
      const decoders = await decodersOf(release);
      expect(Object.keys(decoders)).to.include('tasks.task.assigned');
      expect(rejected(now, decoders)).to.deep.equal([]);
    });
  }

  it('are rejected without a field that consumers read (canary)', () => {
    const [{ payload }] = now['tasks.task.assigned']!.examples as [{ payload: object }];
    const broken = { 'tasks.task.assigned': { examples: [{ payload: { ...payload, assigned_to: undefined } }] } };
    expect(rejected(broken, events)).to.deep.equal(['tasks.task.assigned']);
  });
});
