import type { Role } from './intent.ts';

/** A user as known to the workload. Other users change them too, so this may be outdated; requests are then refused. */
export type Actor = {
  name: string;
  email: string;
  password: string;
  /** The source address of their requests. Each user has a separate one, so that limits per address affect none of them. */
  ip: string;
  id?: string;
  role: Role;
  token?: string;
  isDeleted: boolean;
  /** They do not log in again before this time; milliseconds since the start of the traffic. */
  loginAfter: number;
};

/** A task as last seen by the workload. */
export type KnownTask = {
  name: string;
  id: string;
  version: number;
  state: string;
  creatorId: string;
  assigneeId: string | null;
};

/** The users and tasks known so far from responses. */
export type KnownState = {
  users: Map<string, Actor>;
  tasks: Map<string, KnownTask>;
  userById(id: string | null): Actor | undefined;
  addUser(name: string, role: Role): Actor;
};

/** The admin; created by the operator before the traffic starts, and never changed. */
export const admin = 'admin';
/** A manager who only reassigns all tasks, so that the effects can be distinguished from all others. */
export const reassigner = 'reassigner';

export function createKnownState(): KnownState {
  const users = new Map<string, Actor>();
  return {
    users,
    tasks: new Map(),
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
      };
      users.set(name, member);
      return member;
    },
  };
}
