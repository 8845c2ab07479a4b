/** A task that the workload requested. The title is unique. */
export type Wanted = { title: string; assigneeId: string; acknowledgedId: string | undefined };

/** A task as the API lists it afterwards. */
export type Found = { id: string; title: string; assigneeId: string | undefined };

/** A notification `task.assigned` in the list of a user. */
export type Assigned = { userId: string; taskId: string };

/**
 * Returns the faults of the final state: every acknowledged task must exist exactly once, a request without a response may have created at most one
 * task, and each assignment must have exactly one notification, for its assignee.
 */
export function judge(o: {
  wanted: readonly Wanted[];
  found: readonly Found[];
  notified: readonly Assigned[];
}): string[] {
  const byTitle = Map.groupBy(o.found, (task) => task.title);
  const byTask = Map.groupBy(o.notified, (notification) => notification.taskId);
  return o.wanted.flatMap(({ title, assigneeId, acknowledgedId }) => {
    const tasks = byTitle.get(title) ?? [];
    return [
      ...(acknowledgedId !== undefined && !tasks.some(({ id }) => id === acknowledgedId)
        ? [`${title} was acknowledged and does not exist`]
        : []),
      ...(tasks.length > 1 ? [`${title} exists ${tasks.length} times`] : []),
      ...tasks.flatMap((task) => {
        const notifications = byTask.get(task.id) ?? [];
        return [
          ...(task.assigneeId === assigneeId ? [] : [`${title} is assigned to another user`]),
          ...(notifications.length === 1
            ? []
            : [`${title} has ${notifications.length} notifications of its assignment`]),
          ...notifications.filter(({ userId }) => userId !== assigneeId).map(() => `${title} notified another user`),
        ];
      }),
    ];
  });
}
