import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { acceptedFaults, type Acceptance } from '../accepted-breaks.ts';
import { judgeContracts } from '../contract-gate.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const today = new Date('2027-06-01');
const text = 'openapi/tasks.json GET /api/v1/tasks 200.title: was removed';
const reason = 'The field has had no content since the beginning.';

const faultsOf = (changes: Partial<Acceptance>) =>
  acceptedFaults({
    accepted: { since: '0.1.0', breaks: {} },
    breaks: [],
    base: '0.1.0',
    today,
    versions: { before: () => '1.0.0', after: () => '1.1.0' },
    sunsetOf: () => undefined,
    ...changes,
  });
const accepting = (kind: 'correction' | 'sunset', since = '0.1.0') => ({ since, breaks: { [text]: { kind, reason } } });

describe('The contract gate', () => {
  it('accepts the documents in contracts/, compared with the last recorded release', () => {
    expect(judgeContracts(root, new Date()).faults).to.deep.equal([]);
  });

  it('fails when the clone lacks the commit of the release, with the command that fetches it', () => {
    const clone = mkdtempSync(join(tmpdir(), 'taskwire-gate-'));
    try {
      mkdirSync(join(clone, 'releases'));
      const record = { version: '0.1.0', date: '2026-11-29', commit: 'a'.repeat(40), migrations: {} };
      writeFileSync(join(clone, 'releases/0.1.0.json'), JSON.stringify(record));
      cpSync(join(root, 'contracts'), join(clone, 'contracts'), { recursive: true });
      expect(() => judgeContracts(clone, today)).to.throw(`git fetch origin ${record.commit}`);
      rmSync(join(clone, 'releases/0.1.0.json'));
      expect(() => judgeContracts(clone, today)).to.throw('records no release');
    } finally {
      rmSync(clone, { recursive: true });
    }
  });

  it('fails for a break that is not accepted, and for an accepted one that does not exist', () => {
    expect(faultsOf({ breaks: [text] })).to.deep.equal([text]);
    expect(faultsOf({ accepted: accepting('correction') })).to.deep.equal([`accepted, but not found: ${text}`]);
    expect(faultsOf({ accepted: accepting('correction'), breaks: [text] })).to.deep.equal([]);
  });

  it('accepts breaks for the next release only', () => {
    const faults = faultsOf({ accepted: accepting('correction'), breaks: [text], base: '0.2.0' });
    expect(faults[0]).to.include('for the release after 0.1.0');
    expect(faults).to.include(text);
  });

  it('requires a raised info.version', () => {
    const versions = { before: () => '1.1.0', after: () => '1.1.0' };
    expect(faultsOf({ accepted: accepting('correction'), breaks: [text], versions })[0]).to.include(
      'info.version was not raised',
    );
  });

  it('accepts the removal of a deprecated operation 90 days later, when its announced sunset has passed', () => {
    const after = (sunset: { since: string; sunset: string } | undefined) =>
      faultsOf({ accepted: accepting('sunset'), breaks: [text], sunsetOf: () => sunset });
    expect(after({ since: '2027-01-01', sunset: '2027-05-01' })).to.deep.equal([]);
    expect(after(undefined)[0]).to.include('was not announced by the headers Deprecation and Sunset');
    expect(after({ since: '2027-04-01', sunset: '2027-05-01' })[0]).to.include('30 days after its deprecation, not 90');
    expect(after({ since: '2027-01-01', sunset: '2027-09-01' })[0]).to.include('its sunset is on 2027-09-01');
  });
});
