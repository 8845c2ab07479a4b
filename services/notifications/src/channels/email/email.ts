import { AsyncLocalStorage } from 'node:async_hooks';
import type { Unavailable } from '@taskwire/http-client';
import { backOffMs, type BackOff } from '@taskwire/lifecycle';
import { failSpan, withSpan } from '@taskwire/telemetry';
import { createTransport } from 'nodemailer';
import addressparser from 'nodemailer/lib/addressparser';
import type { SendingChannel, Delivery, Handoff, AttemptResult } from '../../app/channel.ts';
import { warnings, type Counted, type MailBudget } from '../../app/mail-budget.ts';
import type { FindAccountHolder, FindLink, FindUser, User } from '../../app/ports.ts';
import { harmless, layOut } from './layout.ts';
import { definitions, reachesDeletedUsers } from '../../app/notifications/definitions.ts';
import type { NotificationDefinition } from '../../app/notifications/definition.ts';
import { templateInput, type Mail } from '../../app/notifications/template.ts';
import { delayEndOfData } from './delay-end-of-data.ts';
import { smtpResult } from './smtp-result.ts';
import { smtpErrorType, smtpSpan } from './smtp-span.ts';

export type EmailOptions = {
  smtpUrl: string;
  /** An address with or without a name, such as `Taskwire <no-reply@example.com>`. */
  from: string;
  /** The base URL of links. */
  publicUrl: string;
  findUser: FindUser;
  /** For account notifications. */
  findAccountHolder: FindAccountHolder;
  findLink: FindLink;
  budget: MailBudget;
  /** The maximum number of concurrent SMTP connections. */
  connections: number;
};

/** The time limit for connecting: short enough to detect an unreachable server well before the preparation time of an attempt ends. */
const connectMs = 5_000;
const greetingMs = 8_000;
/** How long a server may be silent. RFC 5321 section 4.5.3.2.6 allows 10 minutes after the data; an operator's own relay responds faster. */
const silenceMs = 60_000;
/** Shorter than the servers' limit for idle sessions (Postfix: 5 min), so that the server has rarely closed a connection before the next message. */
const idleMs = 30_000;

/** `name` is absent unless the address is known to be the user's: otherwise user-written text could be sent to a stranger. */
type Recipient = { address: string; isVerified: boolean; name?: string };
type LinkMail = NonNullable<NotificationDefinition['linkMail']>;

/** Delivers e-mail over SMTP: at least once if the outcome is known, and otherwise with the explicit outcome `unknown`. */
export function email(options: EmailOptions): SendingChannel & { close(): void } {
  const transport = createTransport({
    url: options.smtpUrl,
    pool: true,
    maxConnections: options.connections,
    connectionTimeout: connectMs,
    greetingTimeout: greetingMs,
    dnsTimeout: connectMs,
    socketTimeout: silenceMs,
    idleTimeout: idleMs,
    // the loop decides what to retry and when; retries by the pool would be missing from the attempt log
    maxRequeues: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // nodemailer's plugin step `stream` provides the finished message: https://nodemailer.com/plugins/create
  transport.use('stream', (mail, done) => {
    const begin = begins.get(mail.data.messageId);
    if (begin === undefined || mail.message === null) throw new Error('a message without a handoff');
    mail.message.processFunc((message) => delayEndOfData(message, begin));
    done();
  });
  /** The handoffs of running attempts by Message-ID, which is unique because the loop runs only one attempt per delivery at a time. */
  const begins = new Map<string | undefined, () => Promise<void>>();

  async function send(delivery: Delivery, to: Recipient, mail: Mail, handoff: Handoff): Promise<AttemptResult> {
    const counted = await options.budget.count({
      deliveryId: delivery.id,
      userId: delivery.userId,
      address: to.address,
      kind: definitions[delivery.type].mailKind,
      isVerified: to.isVerified,
      callerId: delivery.actorId,
    });
    if (counted.kind === 'over') return { kind: 'skipped', detail: overText(counted) };
    let handedOff = false;
    const message = {
      from: options.from,
      to: { address: to.address, name: harmless(to.name ?? '') },
      ...layOut(mail, { publicUrl: options.publicUrl, greeted: to.name }),
      messageId: `<${delivery.notificationId}@${domainOf(options.from)}>`,
      headers: headersOf(options),
      signal: handoff.signal,
    };
    // bound to this attempt, because the connection is shared
    const begin = AsyncLocalStorage.bind(async () => {
      await handoff.begin();
      handedOff = true;
    });
    return await withSpan(smtpSpan(options.smtpUrl, delivery), async (span) => {
      begins.set(message.messageId, begin);
      try {
        const { response } = await transport.sendMail(message);
        return { kind: 'sent', detail: response };
      } catch (error) {
        failSpan(span, smtpErrorType(error));
        return smtpResult(error, { handedOff });
      } finally {
        begins.delete(message.messageId);
      }
    });
  }

  async function sendToUser(delivery: Delivery, mail: Mail, handoff: Handoff): Promise<AttemptResult> {
    const user = await recipientIn(delivery);
    switch (user.kind) {
      case 'user':
        return await send(delivery, recipientOf(user.email, user), mail, handoff);
      case 'deleted':
        if (!reachesDeletedUsers(delivery.type)) return { kind: 'refused', detail: 'the user was deleted' };
        if (user.email === '') return { kind: 'skipped', detail: 'the address of the user was erased' };
        if (user.email === null) return { kind: 'retry', detail: 'the address of the deleted user is not known yet' };
        return await send(delivery, formerOwner(user.email, user, delivery), mail, handoff);
      case 'not_found':
        return { kind: 'refused', detail: 'Auth does not know the user' };
      case 'unavailable':
        return retryWhenAvailable(user);
    }
  }

  /** Returns the user who is the recipient; `no_account` for a recipient without an account. */
  async function recipientIn({ userId, type }: Delivery): ReturnType<FindUser> {
    if (userId === null) return { kind: 'not_found' };
    return await (definitions[type].about === 'task' ? options.findUser : options.findAccountHolder)(userId);
  }

  /** Requests the link for this attempt only, and sends it to the address for which it was created. */
  async function sendLink(delivery: Delivery, linkMail: LinkMail, handoff: Handoff): Promise<AttemptResult> {
    const { templateData } = delivery;
    if (templateData.linkId === undefined)
      return { kind: 'refused', detail: 'the notification does not name its link' };
    const response = await options.findLink(templateData.linkId, { deliveryId: delivery.id, signal: handoff.signal });
    switch (response.kind) {
      case 'link': {
        const user = await recipientIn(delivery);
        if (user.kind === 'unavailable') return retryWhenAvailable(user);
        const to = recipientOf(response.email, user);
        // a warning with a link is sent to an address that the account has, or had until the change about which the mail warns
        const isVerified = to.isVerified || warnings.includes(definitions[delivery.type].mailKind);
        return await send(delivery, { ...to, isVerified }, linkMail(response), handoff);
      }
      case 'ended':
        return { kind: 'skipped', detail: response.reason };
      case 'unavailable':
        return retryWhenAvailable(response);
    }
  }

  return {
    name: 'email',
    supports: (type) => definitions[type].mail !== undefined || definitions[type].linkMail !== undefined,
    async deliver(delivery, handoff) {
      const { mail, linkMail } = definitions[delivery.type];
      if (linkMail !== undefined) return await sendLink(delivery, linkMail, handoff);
      if (mail !== undefined) return await sendToUser(delivery, mail(templateInput(delivery.templateData)), handoff);
      return { kind: 'refused', detail: `${delivery.type} has no e-mail` };
    },
    close: () => transport.close(),
  };
}

/** Returns a recipient at this address, with the user's name only if the user has verified the address. */
function recipientOf(address: string, user: User | { kind: 'deleted' } | { kind: 'not_found' }): Recipient {
  const isTheirs = user.kind === 'user' && user.isEmailVerified && isSameAddress(user.email, address);
  return isTheirs ? { address, isVerified: true, name: user.name } : { address, isVerified: false };
}

/** Returns a deleted user as a recipient, at the address at the time of the deletion. */
function formerOwner(address: string, former: { isEmailVerified: boolean }, { templateData }: Delivery): Recipient {
  const isVerified = former.isEmailVerified;
  return isVerified ? { address, isVerified, name: templateData.recipient } : { address, isVerified };
}

/** Compares addresses in the same way as Auth. */
function isSameAddress(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function overText({ whose, limit }: Extract<Counted, { kind: 'over' }>): string {
  return whose === 'recipient'
    ? `over the budget of the recipient, which is ${limit} mails of this kind`
    : `over the budget of ${limit} mails of the user who caused it`;
}

/**
 * Short and constant: few mails need another service when they are sent, and each should be sent soon after that service is available again. The
 * service's client fails fast during an outage.
 */
const unavailablePause: BackOff = { baseMs: 10_000, capMs: 10_000, jitter: 'equal' };

function retryWhenAvailable({ detail, retryAfterMs }: Unavailable): AttemptResult {
  return { kind: 'retry', detail, afterMs: retryAfterMs ?? backOffMs(1, unavailablePause) };
}

/** RFC 3834 (prevents automatic replies), RFC 2919 (a list id for filtering). */
function headersOf(options: EmailOptions): Record<string, string> {
  return {
    'Auto-Submitted': 'auto-generated',
    'X-Auto-Response-Suppress': 'All',
    'List-Id': `Taskwire notifications <notifications.${domainOf(options.from)}>`,
  };
}

function domainOf(from: string): string {
  const [address] = addressparser(from, { flatten: true });
  return address?.address.split('@').at(-1) || 'localhost';
}
