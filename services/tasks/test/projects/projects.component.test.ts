import type { schemas } from '@taskwire/contracts';
import { query } from '@taskwire/postgres';
import { expect } from 'chai';
import { codeOf, type Answer } from '../support/api.ts';
import { createProject, membersOf, setMember, type Project } from '../support/projects.ts';
import { tasksTeam, type Person, type TasksHarness } from '../support/tasks-harness.ts';

type Problem = typeof schemas.problem extends { _output: infer P } ? P : never;

describe('Projects', () => {
  let harness: TasksHarness;
  let manager: Person;
  let ann: Person;
  let ben: Person;
  let admin: Person;
  let project: Project;

  before(async () => {
    ({ harness, manager, ann, ben } = await tasksTeam());
    admin = await harness.join('Ada', 'admin');
  });
  beforeEach(async () => (project = await createProject(harness, ann, { name: 'Garden', description: 'Beds' })));
  after(async () => await harness.stop());

  const read = async ({ token }: Person, { id } = project) =>
    await harness.call('getProject', { token, params: { id } });
  const change = async ({ token }: Person, body: object, ifMatch = '*') =>
    await harness.call('changeProject', {
      ...{ token, params: { id: project.id }, body, headers: { 'if-match': ifMatch } },
    });
  const remove = async ({ token }: Person, member: Person): Promise<Answer> =>
    await harness.call('removeProjectMember', { token, params: { id: project.id, user_id: member.id } });
  const names = async ({ token }: Person, query: Record<string, string> = {}) => {
    const { body } = await harness.call('listProjects', { token, query });
    return (body as { data: Project[] }).data.filter(({ id }) => id === project.id).map(({ name }) => name);
  };

  it('can be created by every user, who becomes their lead', async () => {
    expect(project).to.include({ name: 'Garden', description: 'Beds', role: 'lead', version: 1, creator_id: ann.id });
    expect((await read(ann)).body).to.deep.equal(project);
    expect(await membersOf(harness, ann, project)).to.deep.equal([[ann.name, 'lead']]);
  });

  it('exist for their members, managers and admins only', async () => {
    expect(codeOf(await read(ben))).to.equal('not_found');
    expect(await names(ben)).to.deep.equal([]);
    const listMembers = await harness.call('listProjectMembers', { token: ben.token, params: { id: project.id } });
    expect(codeOf(listMembers)).to.equal('not_found');
    for (const leader of [manager, admin]) {
      expect((await read(leader)).body).to.deep.equal({ ...project, role: null });
      expect(await names(leader)).to.deep.equal(['Garden']);
    }
    await setMember(harness, ann, project, ben, 'viewer');
    expect((await read(ben)).body).to.deep.equal({ ...project, role: 'viewer' });
    expect(await names(ben)).to.deep.equal(['Garden']);
    expect((await remove(ann, ben)).status).to.equal(204);
    expect(codeOf(await read(ben))).to.equal('not_found');
  });

  it('are changed by leads, managers and admins, in order of versions', async () => {
    await setMember(harness, ann, project, ben, 'contributor');
    expect(codeOf(await change(ben, { name: 'Mine' }))).to.equal('forbidden');
    expect((await change(ann, { name: 'Park' }, '"1"')).body).to.include({
      name: 'Park',
      description: 'Beds',
      version: 2,
    });
    const late = await change(manager, { description: '' }, '"1"');
    expect(late.body).to.deep.include({ code: 'precondition_failed' });
    expect((late.body as Problem & { current: unknown }).current).to.deep.include({ name: 'Park', role: null });
    expect((await change(manager, { description: '' }, '"2"')).body).to.include({ description: '', version: 3 });
  });

  it('are archived and returned to use, and archived ones are in a list of their own', async () => {
    const archived = (await change(ann, { archived: true })).body as Project;
    expect(archived.archived_at).to.be.a('string');
    expect([await names(ann), await names(ann, { archived: 'true' })]).to.deep.equal([[], ['Garden']]);
    const again = (await change(ann, { archived: true, name: 'Old garden' })).body as Project;
    expect(again.archived_at).to.equal(archived.archived_at);
    expect((await change(ann, { archived: false })).body).to.include({ archived_at: null });
    expect(await names(ann)).to.deep.equal(['Old garden']);
  });

  it('have members whom leads, managers and admins add, change and remove', async () => {
    await setMember(harness, manager, project, ben, 'viewer');
    const set = { token: ben.token, params: { id: project.id, user_id: ben.id }, body: { role: 'lead' } };
    expect(codeOf(await harness.call('setProjectMember', set))).to.equal('forbidden');
    expect(codeOf(await remove(ben, ann))).to.equal('forbidden');
    const changed = await setMember(harness, ann, project, ben, 'contributor');
    expect(changed).to.deep.include({ user: { id: ben.id, name: ben.name }, role: 'contributor' });
    // members may leave
    expect((await remove(ben, ben)).status).to.equal(204);
    expect(codeOf(await remove(admin, ben))).to.equal('not_found');
    expect(await membersOf(harness, ann, project)).to.deep.equal([[ann.name, 'lead']]);
  });

  it('accept only existing users as members, and look up those of whom no event has arrived yet', async () => {
    const add = async (user_id: string, { token } = ann) =>
      await harness.call('setProjectMember', { token, params: { id: project.id, user_id }, body: { role: 'viewer' } });
    expect(codeOf(await add(crypto.randomUUID()))).to.equal('unknown_member');
    // an outsider learns nothing about users
    expect(codeOf(await add(crypto.randomUUID(), ben))).to.equal('not_found');
    const id = crypto.randomUUID();
    harness.auth.users.set(id, {
      ...{ id, name: 'New', role: 'member', version: 1, is_deleted: false, email_verified: true },
    });
    expect((await add(id)).body).to.deep.include({ user: { id, name: 'New' } });
  });

  it('keep a lead who is not deleted, also against managers', async () => {
    expect(codeOf(await remove(ann, ann))).to.equal('last_lead');
    const demote = { params: { id: project.id, user_id: ann.id }, body: { role: 'viewer' } };
    expect(codeOf(await harness.call('setProjectMember', { token: manager.token, ...demote }))).to.equal('last_lead');
    const eve = await harness.join('Eve', 'member');
    await setMember(harness, ann, project, eve, 'lead');
    await harness.become(eve, 'deleted');
    expect(codeOf(await remove(ann, ann))).to.equal('last_lead');
    await setMember(harness, ann, project, ben, 'lead');
    expect((await remove(ann, ann)).status).to.equal(204);
  });

  it('keep a lead when all leads leave at the same moment', async () => {
    const leads = [ann, ben, manager];
    for (const lead of leads) await setMember(harness, ann, project, lead, 'lead');
    const answers = await Promise.all(leads.map(async (lead) => await remove(lead, lead)));
    expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([204, 204, 422]);
  });

  it('have at most a thousand members', async () => {
    const { pool } = harness.database.db;
    const add = `INSERT INTO project_members (project_id, user_id, role) SELECT $1, gen_random_uuid(), 'viewer' FROM generate_series(1, 998)`;
    await query(pool, add, [project.id]);
    await setMember(harness, ann, project, ben, 'viewer');
    const eve = { params: { id: project.id, user_id: manager.id }, body: { role: 'viewer' } };
    expect(codeOf(await harness.call('setProjectMember', { token: ann.token, ...eve }))).to.equal('too_many_members');
    await setMember(harness, ann, project, ben, 'contributor');
  });

  it('name their members to services, which know managers and admins by their roles', async () => {
    await setMember(harness, ann, project, ben, 'viewer');
    const { id } = await harness.createTask(ann, { project_id: project.id });
    const token = await harness.auth.serviceToken('tasks:read');
    const readers = async (taskId: string) => {
      const { body } = await harness.call('getInternalTask', { token, params: { id: taskId } });
      return (body as { readers: string[] | null }).readers;
    };
    expect(await readers(id)).to.have.members([ann.id, ben.id]);
    expect(await readers((await harness.createTask(ann)).id)).to.equal(null);
  });
});
