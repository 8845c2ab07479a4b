import type { Loop } from '@taskwire/lifecycle';
import type { Database } from '@taskwire/postgres';
import { createTelemetry } from '@taskwire/telemetry';
import { silent } from '@taskwire/testing';
import { contentInApp } from '../../src/app/notifications/definitions.ts';
import { notificationRetention } from '../../src/postgres/retention.ts';

/** The retention loop with the default periods, whose rounds a test runs itself. */
export function retentionOf(db: Database): Loop {
  const telemetry = createTelemetry({ service: 'test', stream: silent() });
  return notificationRetention(db, { notificationDays: 365, content: contentInApp }, telemetry);
}
