import { expect } from 'chai';
import { logContext, withLogContext } from '@taskwire/telemetry';
import { logJob } from '../../src/http/jobs/log-job.ts';

describe('The log lines of a request about jobs', () => {
  const logged = (...ids: string[]) =>
    withLogContext({}, () => {
      logJob(ids);
      return { ...logContext() };
    });

  it('name the job if there is exactly one', () => {
    expect(logged('j1')).to.deep.equal({ job_id: 'j1' });
    expect(logged()).to.deep.equal({});
    expect(logged('j1', 'j2')).to.deep.equal({});
  });
});
