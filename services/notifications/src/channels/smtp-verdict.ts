import { errorText } from '@taskwire/errors';
import type { Verdict } from '../app/channel.ts';

/** What nodemailer says of a failure: https://nodemailer.com/errors */
type SmtpError = Error & { code?: string; responseCode?: number; response?: string };

/** nodemailer's codes for the stages that are about the message, and not about who sends it or whether the server is open. */
const aboutTheMessage: readonly string[] = ['EENVELOPE', 'EMESSAGE'];

/**
 * What a failed attempt means. RFC 5321 section 4.2.1: 4xx is for now, 5xx for good. An answer to the greeting or to the login, and 421 at any
 * time, is about the whole channel. Without an answer the handover decides: before it nothing can have arrived, after it anything may have.
 */
export function verdictOf(thrown: unknown, { handedOver }: { handedOver: boolean }): Verdict {
  const error: SmtpError = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { code = '', responseCode } = error;
  const detail = errorText(error);
  if (responseCode === undefined || responseCode < 400) {
    if (handedOver) return { kind: 'unknown', detail };
    if (aboutTheMessage.includes(code)) return { kind: 'refused', detail };
    // our own side broke the stream: the claim was lost, or the state could not be committed
    return code === 'ESTREAM' ? { kind: 'again', detail } : { kind: 'away', detail };
  }
  if (responseCode === 421 || !aboutTheMessage.includes(code)) return { kind: 'away', detail };
  // 503 is about the order of commands in a session, so another session may do
  return responseCode >= 500 && responseCode !== 503 ? { kind: 'refused', detail } : { kind: 'again', detail };
}
