import { messageOf, type Ending } from './answers.ts';
import { JobAborted, JobError, type AbortReason } from './errors.ts';

/** The API's maximum number of bytes of a payload, a result or a progress value. */
const mostBytes = 64 * 1024;
/** The maximum number of characters of an error's code and message. */
const mostCode = 100;
const mostMessage = 2_000;

/** JSON text for the API. @throws RangeError if it is too long; TypeError for a value that is not JSON. */
export function jsonOf(what: string, value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`${what} must be JSON`);
  const bytes = Buffer.byteLength(text);
  if (bytes > mostBytes) throw new RangeError(`${what} must have at most ${mostBytes} bytes as JSON, not ${bytes}`);
  return text;
}

/** The ending of a job whose handler returned. A result that cannot be stored would be the same after another attempt. */
export function endingOfResult(result: unknown): Ending {
  if (result === undefined) return { complete: {} };
  try {
    return { complete: { result: JSON.parse(jsonOf('the result', result)) as unknown } };
  } catch (error) {
    return failure({ code: 'invalid_result', message: messageOf(error), final: true });
  }
}

/** The ending of a job whose handler threw. `reason` is why its signal was aborted, if it was. */
export function endingOfError(error: unknown, reason: AbortReason | undefined): Ending {
  if (error instanceof JobError) {
    const { code, message, final, retryAfter } = error;
    return failure({ code, message, final, retryAfter });
  }
  switch (reason) {
    // the job is not at fault, so this must not use up an attempt
    case 'stopping':
    case 'unconfirmed':
    case 'lease_lost':
      return { release: true };
    case 'cancel_requested':
    case 'run_timeout':
      // the handler threw the reason of its signal, or the AbortError of an aborted call
      return failure({
        code: reason,
        message: messageOf(error instanceof JobAborted ? error : new JobAborted(reason)),
      });
    case undefined:
      return failure({
        code: 'handler_error',
        message: error instanceof Error ? `${error.name}: ${error.message}` : String(error),
      });
  }
}

type Failure = { code: string; message: string; final?: boolean; retryAfter?: number | undefined };

/** A failure that the API accepts: the message of an error may have any length and control characters. */
export function failure({ code, message, final = false, retryAfter }: Failure): Ending {
  const wait = retryAfter === undefined || !(retryAfter >= 0) ? undefined : Math.min(86_400, Math.ceil(retryAfter));
  return {
    fail: {
      code: beginning(code.replace(/\p{Cc}/gu, ' '), mostCode) || 'handler_error',
      message: beginning(message.replace(/(?![\t\n\r])\p{Cc}/gu, ' '), mostMessage),
      final,
      ...(wait === undefined ? {} : { retry_after: wait }),
    },
  };
}

/** The beginning of a text, without halves of characters. */
function beginning(text: string, most: number): string {
  return text.slice(0, most).toWellFormed();
}
