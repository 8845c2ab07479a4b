/** The number of levels of a tree of tasks, the root included. */
export const mostLevels = 5;
/** Open sub-tasks of a task. Those that have ended do not count. */
export const mostOpenSubtasks = 500;
/** Blockers of a task, and tasks that it blocks. */
export const mostBlockers = 100;
/** Tasks in one deletion. It is one transaction, which locks them for about a second. */
export const mostDeleted = 1_000;
/** Related tasks that one problem names. */
export const mostNamed = 20;
