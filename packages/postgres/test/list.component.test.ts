import { expect } from 'chai';
import { recordStatements, tablesScanned, testDatabase, type TestDatabase } from '@taskwire/testing';
import { defineEntity, type Keyset, type List } from '../src/index.ts';

type Thing = { id: string; label: string; at: string };

const things = defineEntity<Thing>({
  table: 'things',
  columns: {
    id: { type: 'uuid' },
    label: { name: 'title', type: 'text' },
    at: { type: 'timestamp with time zone' },
    secret: { type: 'text', nullable: true, select: false },
  },
});

const order = (direction: Keyset['direction']): Keyset => ({
  direction,
  columns: { at: { sql: 'thing.at', type: 'timestamptz' }, id: { sql: 'thing.id', type: 'uuid' } },
});

describe('a list of an entity', () => {
  let database: TestDatabase;
  before(async () => {
    database = await testDatabase([], { entities: [things] });
    const { db } = database;
    await db.query(
      'CREATE TABLE things (id uuid PRIMARY KEY, title text NOT NULL, at timestamptz NOT NULL, secret text)',
    );
    await db.query('CREATE INDEX things_at ON things (at DESC, id DESC)');
    // three rows in each microsecond, many in each millisecond
    await db.query(`
      INSERT INTO things (id, title, at, secret)
      SELECT uuidv7(), 'thing ' || n, '2026-11-28T12:00:00Z'::timestamptz + (n / 3) * interval '1 microsecond', 'secret'
      FROM generate_series(1, 12000) n`);
    await db.query('ANALYZE things');
  });
  after(async () => await database.drop());

  const list = (): List<Thing> => database.db.list(things, 'thing');

  async function pages(found: List<Thing>, keyset: Keyset, limit: number): Promise<Thing[]> {
    const all: Thing[] = [];
    let after: readonly string[] | undefined;
    do {
      const page = await found.page(keyset, { after, limit });
      all.push(...page.items);
      after = page.next;
    } while (after !== undefined);
    return all;
  }

  it('returns the mapped columns, with instants in microseconds', async () => {
    const { items } = await list().page(order('ASC'), { after: undefined, limit: 1 });
    expect(items[0]).to.have.all.keys('id', 'label', 'at');
    expect(items[0]?.at).to.equal('2026-11-28T12:00:00.000000Z');
  });

  for (const direction of ['ASC', 'DESC'] as const) {
    it(`returns each row once across its pages, although many share a microsecond (${direction})`, async () => {
      const found = list().where('thing.label LIKE :pattern', { pattern: 'thing 11%' });
      const all = await pages(found, order(direction), 7);
      expect(all).to.have.length(1_111);
      expect(new Set(all.map(({ id }) => id)).size).to.equal(1_111);
      const sorted = all.toSorted((a, b) => (`${a.at} ${a.id}` < `${b.at} ${b.id}` ? -1 : 1));
      expect(all).to.deep.equal(direction === 'ASC' ? sorted : sorted.toReversed());
    });
  }

  it('ends with the last row, even if that fills its page', async () => {
    const found = list().where('thing.label IN (:a, :b)', { a: 'thing 1', b: 'thing 2' });
    expect((await found.page(order('ASC'), { after: undefined, limit: 2 })).next).to.equal(undefined);
    expect((await found.page(order('ASC'), { after: undefined, limit: 1 })).next).to.have.length(2);
  });

  it('applies no condition whose value is undefined, and every other one', async () => {
    const found = list()
      .where('thing.label = :label', { label: undefined })
      .where('thing.secret = :secret', { secret: null });
    expect((await found.page(order('ASC'), { after: undefined, limit: 10 })).items).to.deep.equal([]);
    const all = list().where('thing.label = :label', { label: undefined });
    expect((await all.page(order('ASC'), { after: undefined, limit: 10 })).items).to.have.length(10);
  });

  it('sends values apart from the statement, whatever they contain', async () => {
    const label = "' OR true -- :pattern $1 \\";
    const found = list().where('thing.label = :label', { label });
    expect((await found.page(order('ASC'), { after: undefined, limit: 10 })).items).to.deep.equal([]);
  });

  it('adds computed values, and leaves columns out', async () => {
    const found = list().select<'length', number>('length', 'length(thing.label)').only('id');
    const [row] = await found.first(order('ASC'), 1);
    expect(row).to.have.all.keys('id', 'length');
  });

  it('reads in the transaction that it belongs to', async () => {
    const undone = new Error('undone');
    const work = database.db.transaction(async (tx) => {
      await tx.query(`INSERT INTO things (id, title, at) VALUES (uuidv7(), 'new', now())`);
      const where = ['thing.label = :label', { label: 'new' }] as const;
      expect(
        await tx
          .list(things, 'thing')
          .where(...where)
          .first(order('ASC'), 2),
      ).to.have.length(1);
      expect(
        await list()
          .where(...where)
          .first(order('ASC'), 2),
      ).to.have.length(0);
      throw undone;
    });
    expect(await work.catch((error: unknown) => error)).to.equal(undone);
  });

  it('reads a page along an index, and is prepared once per combination of filters on request', async () => {
    const log = recordStatements(database.db.pool);
    const found = list().prepared('things.list');
    const first = await found.page(order('DESC'), { after: undefined, limit: 50 });
    await found.page(order('DESC'), { after: first.next, limit: 50 });
    await found.page(order('DESC'), { after: first.next, limit: 20 });
    const ran = log.statements();
    expect(ran.map(({ name }) => name?.replace(/_[0-9a-f]{8}$/, ''))).to.deep.equal(['things.list', 'things.list']);
    for (const statement of ran) expect(await tablesScanned(database.db.pool, statement)).to.deep.equal([]);
  });
});
