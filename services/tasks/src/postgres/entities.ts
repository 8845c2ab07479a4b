import { deadLetterEntity } from '@taskwire/dead-letters';

/** The tables that are read with the query builder. The lists of tasks and activity are hot statements in SQL. */
export const entities = [deadLetterEntity];
