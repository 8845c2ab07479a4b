import { errorTypeOf, SpanKind } from '@taskwire/telemetry';
import type { Delivery } from '../../app/channel.ts';

/**
 * The span of one attempt to send a mail, with the wait for a connection. OpenTelemetry has no conventions for SMTP, so these are the general attributes
 * of a client. Neither addresses nor the text of the mail are recorded.
 */
export function smtpSpan(smtpUrl: string, { id, type, attempt }: Delivery) {
  return {
    name: 'SMTP send',
    kind: SpanKind.CLIENT,
    attributes: () => {
      const { protocol, hostname, port } = new URL(smtpUrl);
      return {
        'network.protocol.name': 'smtp',
        'network.transport': 'tcp',
        'server.address': hostname,
        'server.port': Number(port || (protocol === 'smtps:' ? 465 : 25)),
        'taskwire.delivery.id': id,
        'taskwire.delivery.attempt': attempt,
        'taskwire.notification.type': type,
      };
    },
  };
}

/** The status of the response, such as `550`; without a response, the code of the error. */
export function smtpErrorType(error: unknown): string {
  const status: unknown = error instanceof Error && 'responseCode' in error ? error.responseCode : undefined;
  return typeof status === 'number' ? String(status) : errorTypeOf(error);
}
