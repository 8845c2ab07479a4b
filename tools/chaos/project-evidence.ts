/** A membership of a project. */
export type MemberRow = { project_id: string; user_id: string; role: string };

/** A task in a copy that reads the sync feed. */
export type CopiedTask = {
  id: string;
  version: number;
  state: string;
  assignee_id: string | null;
  project_id: string | null;
  updated_at: string;
};

/** The copy of a member, who loses tasks and projects as well as gaining them. */
export type MemberCopy = {
  tasks: CopiedTask[];
  /** How many tasks the feed has removed, and how many projects the member has gained and lost. */
  counts: { removed: number; gained: number; lost: number };
};
