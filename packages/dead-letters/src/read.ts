import type { DeadLetterDetail } from '@taskwire/contracts';
import { isoMicros, query, type Queryable } from '@taskwire/postgres';

const summaryColumns = `
  id, message_id, handler, type, aggregate_id AS key, reason, error, attempts, state,
  ${isoMicros('received_at')} AS received_at, ${isoMicros('dead_at')} AS dead_at, ${isoMicros('resolved_at')} AS settled_at,
  resolved_by AS settled_by, resolved_reason AS settled_reason`;

/** The maximum number of payload bytes shown; a payload larger than this is never handled. */
const shownBytes = 262_144;

const read = `
  SELECT ${summaryColumns}, app_id, correlation_id, ${isoMicros('sent_at')} AS sent_at, headers, errors,
    substring(payload FOR ${shownBytes}) AS payload, length(payload) AS payload_bytes,
    (SELECT coalesce(json_agg(json_build_object(
        'action', entry.action, 'actor', entry.actor, 'reason', entry.reason, 'at', ${isoMicros('entry.at')}) ORDER BY entry.id), '[]')
      FROM dead_letter_audit entry WHERE entry.dead_letter_id = dead_letters.id) AS audit
  FROM dead_letters WHERE id = $1`;

type Row = Omit<DeadLetterDetail, 'payload' | 'payload_encoding'> & { payload: Buffer };

/** Returns a dead letter with all its details; undefined if the id is unknown. */
export async function readDeadLetter(db: Queryable, id: string): Promise<DeadLetterDetail | undefined> {
  const [row] = await query<Row>(db, read, [id]);
  return row === undefined ? undefined : { ...row, ...shown(row.payload) };
}

function shown(payload: Buffer): Pick<DeadLetterDetail, 'payload' | 'payload_encoding'> {
  try {
    // decode as a stream, so that a character truncated at the end is not an error
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload, { stream: true });
    return { payload: text, payload_encoding: 'utf8' };
  } catch {
    return { payload: payload.toString('base64'), payload_encoding: 'base64' };
  }
}
