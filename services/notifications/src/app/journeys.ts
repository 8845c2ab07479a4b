import type { NotificationJourney } from '@taskwire/contracts';
import type { Page, Place } from '@taskwire/postgres';

/** Reads the journeys of the events of a task, oldest first. */
export type ReadJourneys = (taskId: string, place: Place) => Promise<Page<NotificationJourney>>;
