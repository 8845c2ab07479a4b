import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { projectHints } from './field-hints.ts';
import { defineRoute } from './route.ts';
import { description, idParams, listOf, openEnum, page, person, title } from './schemas.ts';

/** The roles of members: a viewer reads, a contributor also writes and carries out tasks, and a lead also assigns them and manages the project. */
const projectRoles = ['lead', 'contributor', 'viewer'] as const;

export const project = z.object({
  id: uuid,
  name: z.string(),
  description: z.string(),
  role: openEnum(projectRoles).nullable().describe('the role of the caller; null for managers and admins who are not members'),
  creator_id: uuid,
  version: z.int(),
  created_at: instant,
  updated_at: instant,
  archived_at: instant.nullable().describe('when the project was archived; null for a project in use'),
});

export const projectMember = z.object({
  user_id: uuid,
  user: person,
  role: openEnum(projectRoles),
  added_at: instant,
});

const memberParams = idParams.extend({ user_id: uuid });
const role = z.enum(projectRoles);
const tag = 'Projects';
const read = { kind: 'user', scopes: ['tasks:read'], objects: ['reader'] } as const;
const manage = { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'lead'] } as const;

/** Projects and their members. Only members, managers and admins read the tasks of a project. */
export const projectRoutes = {
  listProjects: defineRoute({
    method: 'get',
    path: '/api/v1/projects',
    operationId: 'listProjects',
    summary: "List the caller's projects, newest first",
    description: 'Managers and admins get all projects.',
    tag,
    access: { kind: 'user', scopes: ['tasks:read'], objects: ['everyone'] },
    query: z.strictObject({
      ...page,
      archived: z.enum(['true', 'false']).default('false').describe('true: archived projects; false, the default: projects in use'),
    }),
    responses: { 200: listOf(project) },
    problems: ['bad_cursor'],
  }),
  createProject: defineRoute({
    method: 'post',
    path: '/api/v1/projects',
    operationId: 'createProject',
    summary: 'Create a project',
    description: 'The caller becomes its lead.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['everyone'] },
    body: z.strictObject({ name: title, description: description.default('') }),
    fieldHints: projectHints,
    idempotent: true,
    responses: { 201: project },
    location: '/api/v1/projects/{id}',
    etag: true,
  }),
  getProject: defineRoute({
    method: 'get',
    path: '/api/v1/projects/{id}',
    operationId: 'getProject',
    summary: 'Read a project',
    description: 'A project exists only for its members, managers and admins.',
    tag,
    access: read,
    params: idParams,
    responses: { 200: project },
    etag: true,
    storable: true,
    problems: ['not_found'],
  }),
  changeProject: defineRoute({
    method: 'patch',
    path: '/api/v1/projects/{id}',
    operationId: 'changeProject',
    summary: 'Change or archive a project',
    description:
      'An archived project is read-only: its tasks can be read, but no task can be changed or added. `{"archived": false}` returns the project to use.',
    tag,
    access: manage,
    params: idParams,
    body: z
      .strictObject({ name: title.optional(), description: description.optional(), archived: z.boolean().optional() })
      .refine((change) => Object.keys(change).length > 0, 'must have a field to change, for example {"archived": true}'),
    fieldHints: projectHints,
    ifMatch: 'required',
    responses: { 200: project },
    etag: true,
    problems: ['not_found'],
  }),
  listProjectMembers: defineRoute({
    method: 'get',
    path: '/api/v1/projects/{id}/members',
    operationId: 'listProjectMembers',
    summary: 'List the members of a project',
    tag,
    access: read,
    params: idParams,
    query: z.strictObject(page),
    responses: { 200: listOf(projectMember) },
    problems: ['not_found', 'bad_cursor'],
  }),
  setProjectMember: defineRoute({
    method: 'put',
    path: '/api/v1/projects/{id}/members/{user_id}',
    operationId: 'setProjectMember',
    summary: 'Add a member to a project, or change the role of one',
    description:
      'A project has at least one lead, and at most 1,000 members. The open tasks of a contributor or lead who becomes a viewer are assigned to others, as if the user had lost the role of a performer.',
    tag,
    access: manage,
    params: memberParams,
    body: z.strictObject({ role }),
    responses: { 200: projectMember },
    problems: ['not_found', 'unknown_member', 'too_many_members', 'last_lead'],
  }),
  removeProjectMember: defineRoute({
    method: 'delete',
    path: '/api/v1/projects/{id}/members/{user_id}',
    operationId: 'removeProjectMember',
    summary: 'Remove a member from a project',
    description:
      'Members can leave by themselves, except the last lead. The open tasks of a former contributor or lead in the project are assigned to others.',
    tag,
    access: { kind: 'user', scopes: ['tasks:write'], objects: ['admin', 'manager', 'lead', 'self'] },
    params: memberParams,
    responses: { 204: null },
    problems: ['not_found', 'last_lead'],
  }),
};
