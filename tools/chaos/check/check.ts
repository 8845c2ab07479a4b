import type { Evidence } from '../evidence.ts';
import { checkTasks } from './acknowledged-tasks.ts';
import { checkUsers } from './acknowledged-users.ts';
import { checkComments } from './comments.ts';
import { checkWaits } from './waits.ts';
import { checkConsumption } from './consumption.ts';
import {
  checkAccess,
  checkCrashes,
  checkDeadLetters,
  checkDirectories,
  checkLeftovers,
  checkListings,
  checkPerformers,
  checkTakeovers,
} from './end-state.ts';
import { checkEvents } from './events.ts';
import { checkCopy } from './copy.ts';
import { checkJourneys } from './journeys.ts';
import { checkKeptJobs } from './jobs/kept-jobs.ts';
import { checkFences } from './jobs/fences.ts';
import { checkLeases } from './jobs/leases.ts';
import { checkOccurrences } from './jobs/occurrences.ts';
import { checkReminders } from './jobs/reminders.ts';
import { checkStarts } from './jobs/starts.ts';
import { checkMailOrder } from './mail-order.ts';
import { checkMails } from './mails.ts';
import { checkProjects } from './projects.ts';
import { checkReads } from './reads.ts';
import { checkNotified } from './notified.ts';
import { checkServed } from './served.ts';
import { checkUndo } from './undo.ts';
import type { Violation } from './violation.ts';

/** Returns all violations in the evidence. The result depends only on the evidence. */
export function check(evidence: Evidence): Violation[] {
  const checks = [
    checkTasks,
    checkComments,
    checkUndo,
    checkWaits,
    checkUsers,
    checkReads,
    checkProjects,
    checkServed,
    checkEvents,
    checkConsumption,
    checkNotified,
    checkMails,
    checkMailOrder,
    checkDirectories,
    checkPerformers,
    checkLeftovers,
    checkDeadLetters,
    checkAccess,
    checkListings,
    checkCopy,
    checkTakeovers,
    checkCrashes,
    checkKeptJobs,
    checkLeases,
    checkFences,
    checkStarts,
    checkOccurrences,
    checkReminders,
    checkJourneys,
  ];
  return checks.flatMap((one) => one(evidence));
}
