import type { JsonText, schemas, tasksRoutes } from '@taskwire/contracts';
import type { Page, Place } from '@taskwire/postgres';
import type { z } from 'zod';
import type { History } from '../../domain/history.ts';
import type { Reader } from '../../domain/projects/reader.ts';
import type { ActivityJson } from '../ports.ts';

export type ExplanationJson = JsonText<(typeof tasksRoutes.whyAssigned.responses)[200]>;

/** The current task as the API returns it, and the state that its log records for another time. */
export type TaskWithHistory = { now: ShownTask; history: History };

/** A task as the API returns it. */
export type ShownTask = z.output<typeof schemas.task>;

/** A task and an instant, with the user who reads them. */
export type AskedTime = { taskId: string; reader: Reader; at: string };

export type ActivityReads = {
  /**
   * The activity of the tasks that are not deleted, newest first, without entries from the time in a project that the reader may not read. @throws
   * Problem `search_busy`.
   */
  listAll(reader: Reader, place: Place): Promise<Page<ActivityJson>>;
  /** Undefined when the task doesn't exist. Explains nothing if the task was assigned in a project that the reader may not read. */
  explainAssignment(taskId: string, reader: Reader): Promise<ExplanationJson | undefined>;
  /**
   * The task and its history at an instant. Undefined when the task doesn't exist, or didn't then, or the reader may not read its project, or the one in
   * which it was then.
   */
  readHistory(asked: AskedTime): Promise<TaskWithHistory | undefined>;
  /** A user as others see them. */
  readPerson(id: string): Promise<{ id: string; name: string }>;
};
