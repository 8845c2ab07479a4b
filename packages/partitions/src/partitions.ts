/** The partitions of all events, and those that a process relays and consumes. */
export type Partitions = { count: number; served: readonly number[] };

/** One of `count` partitions, numbered from 0. */
export type Partition = { index: number; count: number };

/**
 * Each partition costs a quorum queue per consuming service and a connection per relay; a suite that needs more partitions has outgrown its
 * databases.
 */
export const maxPartitions = 64;

/**
 * Returns the partitions of a process according to its environment: the partitions in EVENT_PARTITIONS_SERVED, or all. @throws if one of them does not exist.
 */
export function partitionsOf(env: {
  EVENT_PARTITIONS: number;
  EVENT_PARTITIONS_SERVED?: readonly number[] | undefined;
}): Partitions {
  const { EVENT_PARTITIONS: count, EVENT_PARTITIONS_SERVED: chosen } = env;
  const served = chosen ?? Array.from({ length: count }, (_, index) => index);
  const unknown = served.filter((index) => index >= count);
  if (unknown.length > 0) {
    throw new Error(
      `EVENT_PARTITIONS_SERVED names ${unknown.join(', ')}, but with EVENT_PARTITIONS=${count} the partitions are 0 to ${count - 1}`,
    );
  }
  return { count, served };
}

/**
 * The condition that an aggregate belongs to a partition. The hash is the first 32 bits of md5, whose result is the same in every version of
 * PostgreSQL, unlike the results of PostgreSQL's internal hash functions. Returns undefined if only one partition exists.
 */
export function partitionSql(aggregateId: string, { index, count }: Partition): string | undefined {
  if (count === 1) return undefined;
  return `('x' || left(md5(${aggregateId}), 8))::bit(32)::bigint % ${count} = ${index}`;
}

/**
 * The value of the header `partition`, which the bindings of queues match. It contains the number of partitions, so that an event published with another
 * number than the queues have is returned to its relay, and not routed to a wrong queue.
 */
export function partitionHeader({ index, count }: Partition): string {
  return `${index}/${count}`;
}
