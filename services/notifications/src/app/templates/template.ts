import type { Facts } from '../notification-types.ts';
import type { AccountLink } from '../ports.ts';

/** An e-mail before it is laid out: plain text throughout, which the layout escapes for HTML. */
export type Mail = {
  subject: string;
  paragraphs: readonly string[];
  /** `path` is under the public address of the suite; `href` is whole. */
  link: { label: string; path: string } | { label: string; href: string };
};

/** How one type of notification is said on each channel; on one that is missing it is not told. */
export type Template = {
  inApp?(facts: Facts): { title: string; body: string };
  mail?(facts: Facts): Mail;
  /** In the place of `mail`: with a link of Auth's, which is made when the mail is sent, and goes to the address of the link. */
  linkMail?(facts: Facts, link: AccountLink): Mail;
};
