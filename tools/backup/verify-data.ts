import { connected } from './archiving-postgres.ts';

/** The query for index entries and heap pages that contradict each other: https://www.postgresql.org/docs/18/amcheck.html */
const checkIndexes = `
  DO $$
  DECLARE found record;
  BEGIN
    CREATE TEMP TABLE index_faults (name text, fault text);
    FOR found IN
      SELECT c.oid, c.oid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am am ON am.oid = c.relam
      WHERE am.amname = 'btree' AND i.indisvalid AND i.indisready AND c.relpersistence <> 't'
    LOOP
      BEGIN
        PERFORM bt_index_check(found.oid, heapallindexed => true);
      EXCEPTION WHEN OTHERS THEN
        INSERT INTO index_faults VALUES (found.name, SQLERRM);
      END;
    END LOOP;
  END
  $$`;
const checkTables = `
  SELECT c.oid::regclass::text AS name, fault.msg AS fault
  FROM pg_class c CROSS JOIN LATERAL verify_heapam(c.oid) AS fault
  WHERE c.relkind IN ('r', 'm', 't') AND c.relpersistence <> 't'`;

/** Checks every table and B-tree index of a database with amcheck, and returns the faults. `url` must have a superuser's login. */
export async function dataFaults(url: string): Promise<string[]> {
  return await connected(url, async (client) => {
    await client.query('CREATE EXTENSION IF NOT EXISTS amcheck');
    await client.query(checkIndexes);
    const indexes = await client.query<Fault>('SELECT name, fault FROM index_faults');
    const tables = await client.query<Fault>(checkTables);
    return [...indexes.rows, ...tables.rows].map(({ name, fault }) => `${name}: ${fault}`);
  });
}

type Fault = { name: string; fault: string };

// makes an index miss one row, as after a torn write
const damage = `
  CREATE TABLE canary (id integer);
  CREATE INDEX canary_id ON canary (id);
  UPDATE pg_index SET indisready = false WHERE indexrelid = 'canary_id'::regclass;`;
const miss =
  "INSERT INTO canary VALUES (1); UPDATE pg_index SET indisready = true WHERE indexrelid = 'canary_id'::regclass";

/** Damages an index in a separate database. @throws if the check does not find the damage. */
export async function proveCheck(superuserUrl: string): Promise<void> {
  const url = new URL(superuserUrl);
  url.pathname = '/taskwire_canary';
  await connected(superuserUrl, async (client) => void (await client.query('CREATE DATABASE taskwire_canary')));
  try {
    await connected(url.href, async (client) => void (await client.query(damage)));
    await connected(url.href, async (client) => void (await client.query(miss)));
    const faults = await dataFaults(url.href);
    if (faults.length !== 1 || !faults[0]?.startsWith('canary_id'))
      throw new Error(`the check of data found ${JSON.stringify(faults)} instead of the damaged index`);
  } finally {
    await connected(superuserUrl, async (client) => void (await client.query('DROP DATABASE taskwire_canary')));
  }
}
