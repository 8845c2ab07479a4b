import type { AddressInfo } from 'node:net';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { waitFor, type WaitOptions } from './wait-for.ts';

export type Mail = {
  messageId: string | undefined;
  from: string;
  /** The recipients of the envelope, which may differ from the header. */
  to: string[];
  subject: string;
  text: string;
  html: string;
};

/** The server's response to a message: undefined to accept it, an SMTP code and text to reject it (4xx temporarily, 5xx permanently). */
export type MailResponse = { code: number; text: string } | undefined;

export type TestMail = {
  url: string;
  /** The e-mails accepted so far, oldest first. */
  received: readonly Mail[];
  /** Returns the first accepted e-mail that matches; waits for it if necessary (5 s by default). */
  waitFor(matches: (mail: Mail) => boolean, options?: WaitOptions): Promise<Mail>;
  /** Sets the response to all later messages. */
  answer(respond: (mail: Mail) => MailResponse): void;
  stop(): Promise<void>;
};

/** An SMTP server on a free port of 127.0.0.1 that keeps the mails it receives. */
export async function testMail(): Promise<TestMail> {
  const received: Mail[] = [];
  let respond: (mail: Mail) => MailResponse = () => undefined;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, session, done) {
      const take = async (): Promise<Error | undefined> => {
        const parsed = await simpleParser(stream);
        const mail: Mail = {
          messageId: parsed.messageId,
          from: parsed.from?.text ?? '',
          to: session.envelope.rcptTo.map(({ address }) => address),
          subject: parsed.subject ?? '',
          text: parsed.text ?? '',
          html: parsed.html === false ? '' : parsed.html,
        };
        const refused = respond(mail);
        if (refused) return Object.assign(new Error(refused.text), { responseCode: refused.code });
        received.push(mail);
        return undefined;
      };
      take().then(done, done);
    },
  });
  // ignore clients that disconnect midway
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    received,
    waitFor: (matches, options) => waitFor(() => received.find(matches), { what: 'a mail', ...options }),
    answer: (decide) => void (respond = decide),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
