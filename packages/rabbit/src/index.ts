export { type ConsumeOptions, type Consumer, type Delivery } from './consumer.ts';
export { openEventQueueAdmin, type EventQueueAdmin, type QueueState } from './event-queue-admin.ts';
export { loginsOf, type EventLogins, type Sender } from './logins.ts';
export { PublishError, type PublishErrorCode } from './publish-error.ts';
export { type PublisherLimits } from './publisher-limits.ts';
export { type OutgoingMessage, type Publisher } from './publisher.ts';
export { createRabbit, type Rabbit, type RabbitOptions } from './rabbit.ts';
export {
  deadExchange,
  deadQueue,
  eventQueue,
  eventQueues,
  partitionExchange,
  partitionQueue,
  publishOnlyTopology,
  serviceTopology,
  type Topology,
  type TopologyChannel,
} from './topology.ts';
