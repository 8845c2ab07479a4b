import { errorText } from './fields.ts';
import { html, page } from './html.ts';

export type VerificationPage = {
  action: string;
  formToken: string;
  clientName: string;
  email: string;
  /** The URL for requesting a new mail. */
  resend: string;
  /** Why the last attempt failed. */
  error?: string | undefined;
};

/** The page that blocks every client until the address is verified. */
export function verificationPage(given: VerificationPage): string {
  const { action, formToken, clientName, email, resend, error } = given;
  return page(
    error === undefined ? 'Verify your e-mail address' : 'Error: verify your e-mail address',
    html`<h1>Verify your e-mail address</h1>
      <p>
        You can continue to ${clientName} once your address is verified. Open the link in the mail that we sent to it.
      </p>
      <p class="quiet">You are logged in as ${email}</p>
      ${errorText(error)}
      <form method="post" action="${action}">
        <input type="hidden" name="form_token" value="${formToken}" />
        <div class="actions">
          <button type="submit" name="decision" value="go_on">I have verified it</button>
          <button type="submit" name="decision" value="cancel" class="second">Cancel</button>
        </div>
      </form>
      <p class="next"><a href="${resend}">Send the mail again</a></p>`,
  );
}
