import type { JsonText, projectRoutes } from '@taskwire/contracts';
import type { Page, Place, Tx } from '@taskwire/postgres';
import type { Project, ProjectContent } from '../../domain/projects/project.ts';
import type { ProjectRole } from '../../domain/projects/role.ts';
import type { Actor } from '../../domain/task.ts';
import type { MentionedUsers } from '../comments/ports.ts';
import type { Document, TaskStore } from '../ports.ts';
import type { UserLimit } from '../user-limit.ts';

export type ProjectSchema = (typeof projectRoutes.getProject.responses)[200];
export type ProjectDocument = Document<ProjectSchema>;
export type MemberSchema = (typeof projectRoutes.setProjectMember.responses)[200];
export type MemberJson = JsonText<MemberSchema>;

/** The store of projects and their members. A project that the actor may not read is treated as missing. */
export type ProjectStore = {
  read(id: string, actor: Actor): Promise<ProjectDocument | undefined>;
  /** Newest first. */
  list(actor: Actor, filter: { archived: boolean }, place: Place): Promise<Page<JsonText<ProjectSchema>>>;
  /** Members in the order of their ids; undefined if the project doesn't exist. */
  listMembers(id: string, actor: Actor, place: Place): Promise<Page<MemberJson> | undefined>;
  /** Reads a project without locking it. */
  find(tx: Tx, id: string, actor: Actor): Promise<Project | undefined>;
  /** Locks a project, so that its content and its members are changed by one transaction at a time. */
  lock(tx: Tx, id: string, actor: Actor): Promise<Project | undefined>;
  /** Stores a project, with its creator as its lead. */
  insert(tx: Tx, actor: Actor, content: Omit<ProjectContent, 'archived'>): Promise<ProjectDocument>;
  /** Stores the content as a new version. */
  update(tx: Tx, id: string, actor: Actor, content: ProjectContent): Promise<ProjectDocument>;
  /** The number of members of a locked project. */
  countMembers(tx: Tx, id: string): Promise<number>;
  /** The role of a member of a locked project. */
  roleOf(tx: Tx, id: string, userId: string): Promise<ProjectRole | undefined>;
  /** Whether a locked project has another lead, who is not deleted, besides this user. */
  hasOtherLead(tx: Tx, id: string, userId: string): Promise<boolean>;
  /** Waits for assignments to the member that are not committed yet. */
  setMember(tx: Tx, id: string, userId: string, role: ProjectRole): Promise<MemberJson>;
  /** Also waits for assignments to the member that are not committed yet. */
  removeMember(tx: Tx, id: string, userId: string): Promise<void>;
};

export type ProjectPorts = {
  tasks: Pick<TaskStore, 'once' | 'transaction'>;
  projects: ProjectStore;
  users: MentionedUsers;
  /** Limits how often a user may create a task or a project. */
  creations: UserLimit;
  /** Reassigns the tasks of former contributors, and assigns the tasks that await a contributor. */
  wakeReassigner(): void;
};
