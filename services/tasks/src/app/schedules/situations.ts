import type { Tx } from '@taskwire/postgres';
import { hindranceOf } from '../../domain/schedules/permission.ts';
import type { Schedule } from '../../domain/schedules/schedule.ts';
import type { SchedulePorts, Situation } from './ports.ts';

type Ports = Pick<SchedulePorts, 'schedules'>;

/** Reads what decides about the occurrences of locked schedules. */
export async function withSituations<S extends Schedule>(
  { schedules }: Ports,
  tx: Tx,
  locked: readonly S[],
): Promise<{ schedule: S; situation: Situation }[]> {
  const grounds = await schedules.readGrounds(tx, locked.map(askedOf));
  return grounds.flatMap(({ last, standing }, place) => {
    const schedule = locked[place];
    return schedule === undefined
      ? []
      : [{ schedule, situation: { last, hindrance: hindranceOf(schedule.target, standing) } }];
  });
}

/** Reads what decides about the occurrences of one schedule. */
export async function situationOf(ports: Ports, tx: Tx, schedule: Schedule): Promise<Situation> {
  const [found] = await withSituations(ports, tx, [schedule]);
  if (found === undefined) throw new Error('a locked schedule has no grounds');
  return found.situation;
}

function askedOf({ actsFor, target, lastTaskId, lastJobId }: Schedule) {
  return { actsFor, projectId: target.kind === 'task' ? target.project_id : null, lastTaskId, lastJobId };
}
