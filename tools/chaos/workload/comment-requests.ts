import type { Random } from '../random.ts';
import { admin, type Actor, type KnownComment, type KnownState } from './actors.ts';
import type { Intent } from './intent.ts';

type Choices = {
  random: Random;
  known: KnownState;
  living(): Actor[];
  byAnyone(make: (actor: string) => Intent): Intent | undefined;
  newName(letter: string): string;
};

/** Requests about comments. Each is undefined while it is not possible. */
export function commentRequests({ random, known, living, byAnyone, newName }: Choices) {
  const pick = <T>(list: readonly T[]): T | undefined => (list.length === 0 ? undefined : random.pick(list));
  const anyone = () => pick(living())?.name;
  const mentions = () => (random.chance(0.5) ? [anyone(), anyone()].filter(isName) : []);

  /** Often keeps the mentions of the last text, or adds someone who was notified of the comment: the creator or the assignee of the task. */
  function mentionsOf(comment: KnownComment): string[] {
    const task = [...known.tasks.values()].find(({ id }) => id === comment.taskId);
    const notified = pick(
      [task?.creatorId ?? null, task?.assigneeId ?? null].flatMap((id) => known.userById(id) ?? []),
    );
    return [
      ...(random.chance(0.5) ? comment.mentions : []),
      ...(random.chance(0.5) && notified?.isDeleted === false ? [notified.name] : []),
      ...mentions(),
    ];
  }

  return {
    addComment(): Intent | undefined {
      const task = pick([...known.tasks.values()]);
      const comment = newName('c');
      return (
        task && byAnyone((actor) => ({ kind: 'add_comment', actor, on: task.name, comment, mentions: mentions() }))
      );
    },

    changeComment(): Intent | undefined {
      const comment = pick([...known.comments.values()]);
      const author = comment && known.userById(comment.authorId);
      if (comment === undefined || author === undefined || author.isDeleted) return undefined;
      const [edit, mentioned] = [newName('edit'), mentionsOf(comment)];
      return { kind: 'change_comment', actor: author.name, comment: comment.name, edit, mentions: mentioned };
    },

    deleteComment(): Intent | undefined {
      const comment = pick([...known.comments.values()]);
      const author = comment && known.userById(comment.authorId);
      const actor = author === undefined || author.isDeleted || random.chance(0.3) ? admin : author.name;
      return comment && { kind: 'delete_comment', actor, comment: comment.name };
    },
  };
}

function isName(name: string | undefined): name is string {
  return name !== undefined;
}
