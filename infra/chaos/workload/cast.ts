import type { Role } from './intent.ts';

/** A user as the workload believes them to be. Others change users too, so it may be wrong; then requests are refused. */
export type CastMember = {
  name: string;
  email: string;
  password: string;
  /** Where their requests come from, so that limits for each address hit nobody. */
  ip: string;
  id?: string;
  role: Role;
  token?: string;
  isDeleted: boolean;
  /** Not before this they log in again; milliseconds since the begin of the traffic. */
  loginAfter: number;
};

/** A task as the workload last saw it. */
export type KnownTask = {
  name: string;
  id: string;
  version: number;
  state: string;
  creatorId: string;
  assigneeId: string | null;
};

/** Who there is and what there is, as far as answers have told. */
export type Stage = {
  users: Map<string, CastMember>;
  tasks: Map<string, KnownTask>;
  userById(id: string | null): CastMember | undefined;
  addUser(name: string, role: Role): CastMember;
};

/** The admin; made by the operator before the traffic begins, and never changed. */
export const admin = 'admin';
/** A manager who does nothing but deal tasks anew, so that what came of it can be told from everything else. */
export const dealer = 'dealer';

export function createStage(): Stage {
  const users = new Map<string, CastMember>();
  return {
    users,
    tasks: new Map(),
    userById: (id) => (id === null ? undefined : [...users.values()].find((user) => user.id === id)),
    addUser(name, role) {
      const number = users.size + 1;
      const member: CastMember = {
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
