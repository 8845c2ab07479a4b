import { expect } from 'chai';
import { logContext, withLogContext } from '@taskwire/telemetry';
import { logIds } from '../src/log-ids.ts';

const id = '01A1FA18-4b82-7fe1-bc48-7791012fab82';
const logged = (path: string) =>
  withLogContext({ user_id: 'caller' }, () => {
    logIds(path);
    return { ...logContext() };
  });

describe('ids in log lines about a request', () => {
  it('have the name of the resource, in lower case', () => {
    const task = { user_id: 'caller', task_id: id.toLowerCase() };
    expect(logged(`/api/v1/tasks/${id}`)).to.deep.equal(task);
    expect(logged(`/api/v1/tasks/${id}/activity?limit=1`)).to.deep.equal(task);
    const other = id.replaceAll('8', '9').toLowerCase();
    expect(logged(`/api/v1/tasks/${id}/comments/${other}`)).to.deep.equal({ ...task, comment_id: other });
    const user = { user_id: 'caller', target_user_id: id.toLowerCase() };
    for (const path of [`/users/${id}`, `/api/v1/users/${id}/restore`, `/api/v1/projects/${other}/members/${id}`])
      expect(logged(path), path).to.deep.equal(user);
    expect(logged(`/tasks/${id}`)).to.deep.equal(task);
    expect(logged(`/api/v1/admin/journeys/notifications/${id}`)).to.deep.equal(task);
    expect(logged(`/api/v1/admin/journeys/tasks/${id}`)).to.deep.equal(task);
    expect(logged(`/api/v1/jobs/${id}/complete`)).to.include({ job_id: id.toLowerCase() });
    expect(logged(`/api/v1/schedules/${id}/pause`)).to.include({ schedule_id: id.toLowerCase() });
  });

  it('never hide the caller, and are left out for anything that is not the id of such a resource', () => {
    const others = ['/api/v1/users/me', `/api/v1/admin/dead_letters/tasks/${id}/replay`, '/api/v1/tasks', ''];
    for (const text of ['', 'x', `${id}0`, 'constructor', '%0a', `${id}%0a`]) others.push(`/api/v1/tasks/${text}`);
    for (const path of others) expect(logged(path), path).to.deep.equal({ user_id: 'caller' });
  });
});
