import type { Random } from '../random.ts';
import { admin, follower, type Actor, type KnownState, type KnownTask } from './actors.ts';
import type { Intent } from './intent.ts';

/** Few enough that each has both members and outsiders. */
const maxProjects = 3;
/** How often a change of members is about the user whose copy is checked: often enough that they gain and lose each project during a run. */
const shareOfFollower = 0.4;

type Choices = {
  random: Random;
  known: KnownState;
  members(): Actor[];
  managers(): Actor[];
  /** A task in one of these states, with a user who may change it, unless it is in a project of which they are not a member. */
  aboutTask(states: string[], make: (task: KnownTask, leader: Actor) => Intent | undefined): Intent | undefined;
  newName(letter: string): string;
};

/** Requests about projects: who is a member, which tasks are in them, and who reads these. Each is undefined while it is not possible. */
export function projectRequests({ random, known, members, managers, aboutTask, newName }: Choices) {
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

    /** The admin, who is not a member of the others' projects, changes their members. */
    changeMember(): Intent | undefined {
      if (known.projects.size < maxProjects && random.chance(0.3))
        return { kind: 'create_project', actor: admin, project: newName('p') };
      const [project, other] = [anyProject(), pick(members())?.name];
      const member = random.chance(shareOfFollower) ? follower : other;
      if (project === undefined || member === undefined) return undefined;
      if (random.chance(0.4)) return { kind: 'remove_member', actor: admin, project, member };
      const role = random.pick(['contributor', 'contributor', 'viewer'] as const);
      return { kind: 'set_member', actor: admin, project, member, role };
    },

    /** Moves a task, with those below it, to a project, to another one, or out of it. */
    moveToProject(): Intent | undefined {
      return aboutTask(['draft', 'assigned', 'in_progress', 'completed'], ({ name, isInProject }, leader) => {
        const into = isInProject && random.chance(0.5) ? null : anyProject();
        return into === undefined ? undefined : { kind: 'move_to_project', actor: leader.name, task: name, into };
      });
    },

    readInProject(): Intent | undefined {
      const task = pick([...known.tasks.values()].filter(({ isInProject }) => isInProject));
      const reader = pick(members());
      return task && reader && { kind: 'read_task', actor: reader.name, task: task.name };
    },
  };
}
