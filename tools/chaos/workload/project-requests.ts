import type { Random } from '../random.ts';
import { admin, follower, type Actor, type KnownState, type KnownTask } from './actors.ts';
import type { Intent } from './intent.ts';

/** Few enough that each has both members and outsiders. */
const maxProjects = 3;
/** How often a change of members is about the user whose copy is checked: often enough that they gain and lose projects during a run. */
const shareOfFollower = 0.4;

type Choices = {
  random: Random;
  known: KnownState;
  members(): Actor[];
  managers(): Actor[];
  tasks(...states: string[]): KnownTask[];
  /** A user who may change the task, unless it is in a project of which they are not a member. */
  leaderOf(task: KnownTask): Actor | undefined;
  newName(letter: string): string;
};

/** Requests about projects: who is a member, which tasks are in them, and who reads these. Each is undefined while it is not possible. */
export function projectRequests({ random, known, members, managers, tasks, leaderOf, newName }: Choices) {
  const pick = <T>(list: readonly T[]): T | undefined => (list.length === 0 ? undefined : random.pick(list));
  const anyProject = () => pick([...known.projects.values()])?.name;

  return {
    /** Managers write in every project. Without a contributor, a random choice is refused. */
    createInProject(task: string): Intent | undefined {
      const [manager, project] = [pick(managers()), anyProject()];
      if (manager === undefined || project === undefined) return undefined;
      const to = random.chance(0.6) ? { to: 'random' } : {};
      return { kind: 'create_task', actor: manager.name, task, in: project, ...to };
    },

    /**
     * The admin, who is not a member of the others' projects, changes their members. The user whose copy is checked never joins the first project, so
     * that in every run tasks are moved out of their sight and stay there.
     */
    changeMember(): Intent | undefined {
      if (known.projects.size < maxProjects && random.chance(0.3))
        return { kind: 'create_project', actor: admin, project: newName('p') };
      const projects = [...known.projects.values()];
      const isAboutFollower = random.chance(shareOfFollower);
      const project = pick(isAboutFollower ? projects.slice(1) : projects);
      if (project === undefined) return undefined;
      const isConcerned = (name: string) => (name === follower) === isAboutFollower;
      const leaving = pick([...project.members].filter(isConcerned));
      if (leaving !== undefined && random.chance(0.4))
        return { kind: 'remove_member', actor: admin, project: project.name, member: leaving };
      const member = pick(members().filter(({ name }) => isConcerned(name)))?.name;
      const role = random.pick(['contributor', 'contributor', 'viewer'] as const);
      return member === undefined
        ? undefined
        : { kind: 'set_member', actor: admin, project: project.name, member, role };
    },

    /** Moves a task, with those below it, to a project, to another one, or out of it. A sub-task is not moved by itself. */
    moveToProject(): Intent | undefined {
      const movable = tasks('draft', 'assigned', 'in_progress', 'completed');
      const parents = movable.filter(({ name }) => known.parents.has(name));
      const task = random.chance(0.5) ? (pick(parents) ?? pick(movable)) : pick(movable);
      const leader = task && leaderOf(task);
      const into = task?.isInProject === true && random.chance(0.5) ? null : anyProject();
      if (task === undefined || leader === undefined || into === undefined) return undefined;
      return { kind: 'move_to_project', actor: leader.name, task: task.name, into };
    },

    readInProject(): Intent | undefined {
      const task = pick([...known.tasks.values()].filter(({ isInProject }) => isInProject));
      const reader = pick(members());
      return task && reader && { kind: 'read_task', actor: reader.name, task: task.name };
    },

    /** Reads the past of a task that has been in a project, more often of one that has left it. */
    readPast(): Intent | undefined {
      const moved = [...known.tasks.values()].filter(({ wasInProject }) => wasInProject);
      const task = pick(moved.filter(({ isInProject }) => !isInProject)) ?? pick(moved);
      const kind = random.chance(0.5) ? 'read_activity' : 'read_past';
      const reader = pick(members());
      return task && reader && { kind, actor: reader.name, of: task.name };
    },
  };
}
