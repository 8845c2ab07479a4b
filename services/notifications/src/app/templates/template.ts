import type { Facts } from '../notification-types.ts';

/** An e-mail before it is laid out: plain text throughout, which the layout escapes for HTML. */
export type Mail = {
  subject: string;
  paragraphs: readonly string[];
  /** `path` is under the public address of the suite. */
  link: { label: string; path: string };
};

/** How one type of notification is said on each channel. Without `mail` it is not sent by e-mail. */
export type Template = {
  inApp(facts: Facts): { title: string; body: string };
  mail?(facts: Facts): Mail;
};
