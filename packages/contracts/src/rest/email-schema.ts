import { z } from 'zod';

/**
 * An address whose local part is a dot-string of RFC 5321 section 4.1.2, with at most 64 characters before the @, and 254 in total. Domains in other
 * scripts are accepted and stored in their ASCII form (IDNA, RFC 5891), which every mail server accepts. Auth, not this schema, ignores case when it
 * compares addresses.
 */
export const email = z
  .string()
  .trim()
  .max(254)
  .transform(withAsciiDomain)
  .pipe(z.email({ pattern: z.regexes.html5Email, error: 'must be an e-mail address, for example ann@example.org' }).max(254))
  .refine(hasMailboxName, 'must have 1 to 64 characters before the @, without a dot at the beginning, at the end or after another dot');

/** The address entered to log in: any text, with the domain in the form in which addresses are stored. */
export const givenEmail = z.string().trim().min(1).max(254).transform(withAsciiDomain);

/** The text with its domain in ASCII; unchanged if its domain has no ASCII form. */
function withAsciiDomain(text: string): string {
  const at = text.lastIndexOf('@');
  const domain = text.slice(at + 1);
  // an ASCII domain is left unchanged
  if (at < 1 || /^[\x20-\x7e]*$/.test(domain)) return text;
  // the URL parser converts a host in the same way as e-mail domains are converted (UTS 46); text with characters that belong to other parts of a URL
  // is excluded
  if (/[\s/?#:@\\[\]%]/u.test(domain)) return text;
  const host = URL.parse(`https://${domain}/`)?.hostname;
  return host === undefined || host === '' ? text : `${text.slice(0, at)}@${host}`;
}

function hasMailboxName(text: string): boolean {
  const name = text.slice(0, text.lastIndexOf('@'));
  return name.length <= 64 && name.split('.').every((part) => part !== '');
}
