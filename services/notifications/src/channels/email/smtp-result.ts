import { errorText } from '@taskwire/errors';
import type { AttemptResult } from '../../app/channel.ts';

/** An error as nodemailer reports it: https://nodemailer.com/errors */
type SmtpError = Error & { code?: string; responseCode?: number; response?: string };

/** nodemailer's codes for failures that concern the message, rather than the sender or the server. */
const aboutTheMessage: readonly string[] = ['EENVELOPE', 'EMESSAGE'];

/**
 * Interprets a failed attempt. RFC 5321 section 4.2.1: 4xx is transient, 5xx permanent. An error response to the greeting or the login concerns the
 * whole channel, and so does 421 at any time. Without a response, the result depends on the handoff: before it, the message cannot have arrived;
 * after it, the message may have arrived.
 */
export function smtpResult(thrown: unknown, { handedOff }: { handedOff: boolean }): AttemptResult {
  const error: SmtpError = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code = '', responseCode } = error;
  const detail = errorText(error);
  if (responseCode === undefined || responseCode < 400) {
    if (handedOff) return { kind: 'unknown', detail };
    if (aboutTheMessage.includes(code)) return { kind: 'refused', detail };
    // our own side broke the stream: the lease was lost, or the state couldn't be committed
    return code === 'ESTREAM' ? { kind: 'retry', detail } : { kind: 'channel_unavailable', detail };
  }
  if (responseCode === 421 || !aboutTheMessage.includes(code)) return { kind: 'channel_unavailable', detail };
  // 503 concerns the order of commands in a session, so another session may succeed
  return responseCode >= 500 && responseCode !== 503 ? { kind: 'refused', detail } : { kind: 'retry', detail };
}
