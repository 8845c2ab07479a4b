/** A mail in the format of maildev's API. */
export type CaughtMail = { subject: string; to: { address: string }[]; time: string; text?: string };

/** The mails for this address in the mail catcher, oldest first. */
export async function mailsTo(mailPageUrl: string, address: string): Promise<CaughtMail[]> {
  const response = await fetch(`${mailPageUrl}/api/email`, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`The mail catcher answered with ${response.status}.`);
  const mails = (await response.json()) as CaughtMail[];
  return mails.filter((mail) => mail.to.some((to) => to.address.toLowerCase() === address.toLowerCase()));
}
