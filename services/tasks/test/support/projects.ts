import type { projectRoutes } from '@taskwire/contracts';
import { expect } from 'chai';
import type { z } from 'zod';
import type { Task } from './api.ts';
import type { Person, TasksHarness } from './tasks-harness.ts';

export type ProjectRole = 'lead' | 'contributor' | 'viewer';
export type Project = z.output<(typeof projectRoutes.getProject.responses)[200]>;
type Member = z.output<(typeof projectRoutes.setProjectMember.responses)[200]>;

export async function createProject(
  harness: TasksHarness,
  { token }: Person,
  body: Record<string, unknown> = { name: 'Garden' },
): Promise<Project> {
  const answer = await harness.call('createProject', { token, body });
  expect(answer.status, JSON.stringify(answer.body)).to.equal(201);
  return answer.body as Project;
}

/** Creates a project whose lead is `actor`, with these other members. */
export async function projectOf(
  harness: TasksHarness,
  actor: Person,
  members: readonly (readonly [Person, ProjectRole])[],
): Promise<Project> {
  const project = await createProject(harness, actor);
  for (const [person, role] of members) await setMember(harness, actor, project, person, role);
  return project;
}

/** Adds a member, or changes the role of one. */
export async function setMember(
  harness: TasksHarness,
  { token }: Person,
  { id }: { id: string },
  person: { id: string },
  role: ProjectRole,
): Promise<Member> {
  const params = { id, user_id: person.id };
  const answer = await harness.call('setProjectMember', { token, params, body: { role } });
  expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  return answer.body as Member;
}

/** The names and roles of the members. */
export async function membersOf(
  harness: TasksHarness,
  { token }: Person,
  { id }: { id: string },
): Promise<[string, string][]> {
  const { body } = await harness.call('listProjectMembers', { token, params: { id } });
  return (body as { data: Member[] }).data.map(({ user, role }) => [user.name, role]);
}

/** Moves a task into a project, or out of all projects. */
export async function moveTask(
  harness: TasksHarness,
  { token }: Person,
  { id }: { id: string },
  projectId: string | null,
): Promise<Task> {
  const call = { token, params: { id }, body: { project_id: projectId }, headers: { 'if-match': '*' } };
  const answer = await harness.call('changeTask', call);
  expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
  return answer.body as Task;
}
