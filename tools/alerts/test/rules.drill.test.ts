import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findPrometheus } from '@taskwire/process-supervisor';
import { expect } from 'chai';
import { checkRules } from '../configuration.ts';
import { promtoolOfTesting } from '../promtool-of-testing.ts';

describe('The rules of objectives and alerts', function () {
  // a download, and a processor for half a minute
  this.timeout(600_000);
  const dir = mkdtempSync(join(tmpdir(), 'taskwire-rules-'));
  after(() => rmSync(dir, { recursive: true }));

  it('pass their tests with Prometheus 3, too: npm run alerts uses the version of Debian stable', async () => {
    // Homebrew has the present version
    const promtool = (await promtoolOfTesting()) ?? findPrometheus()?.tool;
    expect(await checkRules(dir, promtool)).to.match(/^\d+ rules and \d+ cases with promtool 3\./);
  });
});
