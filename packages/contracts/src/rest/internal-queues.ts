import { z } from 'zod';
import { defineRoute } from './route.ts';
import { queueName } from './schemas.ts';

/** The maximum number of queues in a response. A client has at most 20, and a name at most 50 characters. */
export const mostListedQueues = 10_000;

/** The operation with which Tasks finds out which queues exist. */
export const internalQueueRoutes = {
  listQueues: defineRoute({
    method: 'get',
    path: '/queues',
    operationId: 'listQueues',
    summary: 'List the queues of all registered clients, by name',
    tag: 'Internal',
    access: { kind: 'service', scope: 'users:read' },
    responses: {
      200: z.object({
        data: z.array(queueName).max(mostListedQueues),
        more: z.boolean().describe('whether there are further queues, which the response omits'),
      }),
    },
  }),
};
