import { expect } from 'chai';
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createHistory, evidenceOf, readHistory } from '../history.ts';
import { recoveredAfter } from '../observe/readiness.ts';
import { report } from '../report.ts';
import { check } from '../check/check.ts';
import { smallRun } from './small-run.ts';

describe('the history of a run', () => {
  let dir: string;
  beforeEach(() => void (dir = mkdtempSync(join(tmpdir(), 'taskwire-history-'))));
  afterEach(() => rmSync(dir, { recursive: true }));

  async function written(): Promise<string> {
    const { trafficBegan, operations, events, takeovers, mails, world } = smallRun();
    const history = createHistory(join(dir, 'history.jsonl'));
    history.add({ line: 'run', seed: 's', minutes: 1, replicas: 2, bug: null, startedAt: '2026-11-20T10:00:00.000Z' });
    history.add({ line: 'fault', began: 1, ended: 2, fault: { kind: 'kill_broker', downMs: 1 } });
    history.add({ line: 'recovery', fault: { kind: 'kill_broker', downMs: 1 }, ms: 1_234 });
    history.add({ line: 'traffic', began: trafficBegan });
    for (const operation of operations) history.add({ line: 'operation', operation });
    for (const event of events) history.add({ line: 'event', at: 1, event });
    for (const takeover of takeovers) history.add({ line: 'takeover', at: 1, takeover });
    for (const mail of mails) history.add({ line: 'mail', mail });
    history.add({ line: 'quiescent', tookMs: 5_000, unfinished: [] });
    history.add({ line: 'world', world });
    await history.close();
    return history.file;
  }

  it('is read back from its file unchanged, even if its last line was cut off', async () => {
    const file = await written();
    appendFileSync(file, '{"line":"operation","oper');
    const { events, ...rest } = smallRun();
    expect(evidenceOf(readHistory(file))).deep.equal({ ...rest, events: events.map((event) => ({ at: 1, ...event })) });
  });

  it('makes a report with faults, operations, figures and violations', async () => {
    const lines = readHistory(await written());
    const evidence = evidenceOf(lines);
    const text = report(lines, evidence, check(evidence));
    expect(text).match(/kill broker +1 +0 +1\.2 s/);
    expect(text).match(/create task +1 +0 +0/);
    expect(text).match(/recovery +longest 1\.2 s, after: kill -9 broker/);
    expect(text).match(/violations +none/);
    evidence.world.tasks[0]!.awaiting_performer = true;
    expect(report(lines, evidence, check(evidence))).match(/✘ open tasks have performers: 1\n {2}- task/);
  });

  it('is not evidence when the run did not finish', () => {
    expect(() => evidenceOf([])).to.throw('ends before');
  });
});

describe('the recovery from a fault', () => {
  it('lasts until all services that became unready before the next fault are ready again', () => {
    const outages = [
      { of: 'auth', from: 110, to: 250 },
      { of: 'tasks', from: 120, to: 400 },
      { of: 'tasks', from: 520, to: 900 },
    ] as const;
    expect(recoveredAfter({ began: 100, ended: 200 }, 500, outages)).equal(200);
    expect(recoveredAfter({ began: 500, ended: 510 }, 1_000, outages)).equal(390);
    expect(recoveredAfter({ began: 0, ended: 10 }, 100, outages)).equal(0);
  });
});
