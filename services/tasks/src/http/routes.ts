import { tasksRoutes } from '@taskwire/contracts';
import { bindDeadLetters, type DeadLetters } from '@taskwire/dead-letters';
import type { BoundRoute } from '@taskwire/http-server';
import type { CommentPorts } from '../app/comments/ports.ts';
import type { ProjectPorts } from '../app/projects/ports.ts';
import type { FollowPorts } from '../app/sync/follow-changes.ts';
import type { TemplatePorts } from '../app/templates/ports.ts';
import type { ViewPorts } from '../app/views/ports.ts';
import { activityRoutes } from './activity.ts';
import { bulkRoutes, type BulkPorts } from './bulk/routes.ts';
import { commentRoutes } from './comments.ts';
import { jobRoutes, type JobPorts } from './jobs/routes.ts';
import { projectRoutes } from './projects.ts';
import { readRoutes } from './reads.ts';
import type { SchedulePorts } from '../app/schedules/ports.ts';
import { scheduleRoutes } from './schedules/routes.ts';
import { syncRoutes } from './sync.ts';
import { templateRoutes } from './templates.ts';
import { viewRoutes } from './views.ts';
import { writeRoutes } from './writes.ts';

type RoutePorts = BulkPorts &
  CommentPorts &
  ViewPorts &
  TemplatePorts &
  ProjectPorts &
  JobPorts & {
    deadLetters: DeadLetters;
    publishedEpoch: () => number;
    schedules: SchedulePorts;
    sync: FollowPorts;
  };

/** The HTTP API of Tasks. */
export function routes(ports: RoutePorts): BoundRoute[] {
  const { users, knownQueues, creations } = ports;
  return [
    ...readRoutes(ports),
    ...writeRoutes(ports),
    ...bulkRoutes(ports),
    ...commentRoutes(ports),
    ...viewRoutes(ports),
    ...templateRoutes(ports),
    ...projectRoutes(ports),
    ...activityRoutes(ports.activity),
    ...syncRoutes(ports.sync),
    ...jobRoutes(ports),
    ...scheduleRoutes({ ...ports.schedules, users, knownQueues, creations }),
    ...bindDeadLetters(tasksRoutes, ports.deadLetters),
  ];
}
