import type { Evidence } from '../evidence.ts';
import { checkTasks } from './acknowledged-tasks.ts';
import { checkUsers } from './acknowledged-users.ts';
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
import { checkMailOrder } from './mail-order.ts';
import { checkMails } from './mails.ts';
import { checkReads } from './reads.ts';
import { checkNotified } from './notified.ts';
import type { Violation } from './violation.ts';

/** All violations shown by the evidence. The result depends on the evidence alone. */
export function check(evidence: Evidence): Violation[] {
  const checks = [
    checkTasks,
    checkUsers,
    checkReads,
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
    checkTakeovers,
    checkCrashes,
  ];
  return checks.flatMap((one) => one(evidence));
}
