import type { Role } from './intent.ts';

/** A user as known to the workload. Other users also change users, so this knowledge may be outdated; requests are then refused. */
export type Actor = {
  name: string;
  email: string;
  password: string;
  /** The source address of the user's requests. Each user has a different one, so that limits per address affect none of them. */
  ip: string;
  id?: string;
  role: Role;
  token?: string;
  isDeleted: boolean;
  /** The earliest time of the next log-in, in milliseconds since the start of the traffic. */
  loginAfter: number;
  /** The cursor of the next page of each list, if the last page read has a successor. */
  cursors: { tasks?: string | undefined; notifications?: string | undefined };
};

/** A task as last seen by the workload. */
export type KnownTask = {
  name: string;
  id: string;
  version: number;
  state: string;
  creatorId: string;
  /** Null also for a task that was assigned to another user, who is not known yet. */
  assigneeId: string | null;
  /** As of the last response about this task. A task below one that was moved is moved with it. */
  isInProject: boolean;
  /** Whether a response showed it in a project. */
  wasInProject: boolean;
  createdAt: string;
};

/** A comment as last seen by the workload. `mentions`: the names of the users whom its last acknowledged text mentions. */
export type KnownComment = {
  name: string;
  id: string;
  version: number;
  taskId: string;
  authorId: string;
  mentions: string[];
};

/** A project as last seen by the workload. `members`: the names of its members. */
export type KnownProject = { name: string; id: string; members: Set<string> };

/** The users, tasks, comments and projects known so far from responses. */
export type KnownState = {
  users: Map<string, Actor>;
  tasks: Map<string, KnownTask>;
  comments: Map<string, KnownComment>;
  /** Deleted tasks. */
  deleted: Map<string, KnownTask>;
  /** The id of the view in manual order in which tasks are moved. */
  board?: string;
  /** The names of a task and its blocker. */
  dependencies: Set<`${string} ${string}`>;
  projects: Map<string, KnownProject>;
  /** The names of the tasks that have had sub-tasks. */
  parents: Set<string>;
  userById(id: string | null): Actor | undefined;
  addUser(name: string, role: Role): Actor;
};

/** The admin; created by the operator before the traffic starts, and never changed. */
export const admin = 'admin';
/** A manager who does nothing but reassign all tasks, so that the effects can be distinguished from all others. */
export const reassigner = 'reassigner';
/** A member who is never deleted and never gets another role, so that a copy can follow what they may read from the start to the end. */
export const follower = 'follower';

export function createKnownState(): KnownState {
  const users = new Map<string, Actor>();
  return {
    users,
    tasks: new Map(),
    comments: new Map(),
    deleted: new Map(),
    dependencies: new Set(),
    projects: new Map(),
    parents: new Set(),
    userById: (id) => (id === null ? undefined : [...users.values()].find((user) => user.id === id)),
    addUser(name, role) {
      const number = users.size + 1;
      const member: Actor = {
        ...{ name, role },
        email: `${name}@chaos.test`,
        password: `correct horse ${name}`,
        ip: `10.1.${number >> 8}.${number & 255}`,
        isDeleted: false,
        loginAfter: 0,
        cursors: {},
      };
      users.set(name, member);
      return member;
    },
  };
}
