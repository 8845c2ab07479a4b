import { z } from 'zod';
import { instant, uuid } from '../events/events.ts';
import { givenInstant, label, listOf, listedTask, openEnum, page, priority, taskKinds, taskState, taskStates } from './schemas.ts';

/** The fields by which tasks are sorted. */
export const taskSortFields = ['created_at', 'updated_at', 'due_at', 'priority'] as const;

/** The orders of a list of tasks. A minus sign means descending. */
export const taskSorts = [...taskSortFields.flatMap((field) => [field, `-${field}`] as const), 'relevance'] as const;

/** Counting more would take longer than a list should. */
export const mostCountedTasks = 10_000;

/** A label, or several as a repeated parameter. */
const labelsOfFilter = z
  .union([label, z.array(label).min(1).max(20)], {
    error: 'must be a label, or at most 20 labels as a repeated parameter, for example ?label=home&label=garden',
  })
  .transform((given) => [given].flat());

/** A text to search for. Its spaces are kept: a space after the last word shows that the word is finished. */
const searchedText = z
  .string()
  .min(1)
  .max(200)
  // eslint-disable-next-line no-control-regex -- the pattern rejects control characters
  .regex(/^[^\u0000-\u001f\u007f]*$/u, 'must not have control characters');

/** The filters of a list of tasks. A task must match all given filters. */
export const taskFilters = {
  state: taskState.optional(),
  assignee: z
    // without `abort`, the union reports the fault of its only text format instead of the union's own message
    .union([z.guid({ abort: true }).toLowerCase(), z.enum(['me', 'none'])], {
      error: ({ input }) =>
        `must be the id of a user, me for the caller, or none for unassigned tasks${Array.isArray(input) ? ', given once' : ''}`,
    })
    .optional()
    .describe('the id of the assignee, me for the caller, or none for unassigned tasks'),
  creator: uuid.optional().describe('the id of the user who created the task'),
  mine: z.enum(['true', 'false']).optional().describe('true: only tasks assigned to the caller; false: only other tasks'),
  kind: z.enum(taskKinds).optional().describe('task: only tasks for people; job: only tasks that a worker carries out'),
  project: z
    .union([z.guid({ abort: true }).toLowerCase(), z.literal('none')], {
      error: ({ input }) =>
        `must be the id of a project, or none for tasks outside of projects${Array.isArray(input) ? ', given once' : ''}`,
    })
    .optional()
    .describe('the id of a project, or none for tasks outside of projects'),
  parent: z
    .union([z.guid({ abort: true }).toLowerCase(), z.literal('none')], {
      error: ({ input }) => `must be the id of a task, or none for tasks without a parent${Array.isArray(input) ? ', given once' : ''}`,
    })
    .optional()
    .describe('the id of a task whose sub-tasks are listed, or none for tasks without a parent'),
  blocked: z.enum(['true', 'false']).optional().describe('true: only tasks that wait for a task that has not ended; false: only other tasks'),
  blocks: uuid.optional().describe('the id of a task: only its blockers, including those that have ended'),
  blocked_by: uuid.optional().describe('the id of a task: only tasks that wait for it'),
  priority: priority.optional(),
  label: labelsOfFilter.optional().describe('tasks with this label; repeated: with any of these labels'),
  label_all: labelsOfFilter.optional().describe('repeated: tasks with all of these labels'),
  due_before: givenInstant.optional().describe('tasks that are due before this instant'),
  due_after: givenInstant.optional().describe('tasks that are due at this instant or later'),
  q: searchedText
    .optional()
    .describe(
      'text to search for in title, labels, description and comments, without regard to case and accents. The text of the task or a single comment has to match it completely. It consists of words, "phrases", -excluded words, and `or` between alternatives. The last word also matches longer words that begin with it, if it has at least three letters or digits, only hyphens between them, and no space after it.',
    ),
};

const sort = z
  .enum(taskSorts)
  .optional()
  .describe(
    'the order; a minus sign means descending. `relevance`, for a list with `q`, returns only the best 200 tasks. Tasks without a due date come last in both orders by due_at. Ties are in the order of creation. If omitted: `relevance` with `q`, and otherwise `-created_at`.',
  );

/** Derived facts that a read or a list may include. */
export const include = z.literal('stats').optional().describe('`stats`: whether each task is blocked, and the numbers of its open sub-tasks and comments');

const fits = (given: { sort?: string | undefined; q?: string | undefined }) => given.sort !== 'relevance' || given.q !== undefined;
const needsText = { path: ['sort'], message: 'must not be relevance without q' };

const deleted = z
  .enum(['true', 'false'])
  .optional()
  .describe('true: only deleted tasks, which can still be restored; the default is false. The text search does not find deleted tasks.');

export const taskListQuery = z
  .strictObject({ ...page, ...taskFilters, deleted, sort, include })
  .refine(fits, needsText)
  .refine((given) => given.deleted !== 'true' || given.q === undefined, { path: ['deleted'], message: 'must not be true with q' });

/** The criteria of a search, without its page. */
export const searchFields = {
  filter: z
    .looseObject({})
    .optional()
    .describe(
      'a tree of at most 30 nodes and 5 levels: `{"and": […]}`, `{"or": […]}`, `{"not": …}`, or a condition `{"field", "op", "value"}`. Fields with `eq`, `ne` and `in` (a list): `state`, `priority`, `kind`, `assignee` (an id, `me` or `none`), `creator` (an id or `me`), `project` and `parent` (an id or `none`), `blocks` and `blocked_by` (the id of a task), `label`. `blocked` takes `eq` and `ne` with true or false. Fields with `lt`, `lte`, `gt` and `gte`: `due_at`, `created_at`, `updated_at`; the value is an instant, or a duration from now such as `P7D` or `-P1D`. `due_at` also takes `eq` and `ne` with null.',
    ),
  q: taskFilters.q,
  sort,
};

export const taskSearch = z
  .strictObject({ ...searchFields, include, limit: z.int().min(1).max(100).default(50), cursor: page.cursor })
  .refine(fits, needsText);

export const labelListQuery = z.strictObject({
  ...page,
  prefix: label.optional().describe('only labels that begin with this text, in the same case'),
});

/** A label in use. */
export const labelInUse = z.object({ label: z.string(), count: z.int().max(mostCountedTasks).describe(`the number of its tasks, at most ${mostCountedTasks}`) });

/** Selects titles similar to `q`. */
export const taskSuggestionQuery = z.strictObject({ q: searchedText.max(100).describe('a part of a title') });

/** A suggested task. */
export const taskSuggestion = z.object({ id: uuid, title: z.string(), state: openEnum(taskStates) });

/** `as_of` is for lists with `q`. */
export const taskPage = listOf(listedTask).extend({
  as_of: instant.optional().describe('with `q`: the search includes every task and comment whose last change was committed by this time, usually at most two seconds ago'),
});
