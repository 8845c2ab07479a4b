import { emailField, errorText, linkFields, newPasswordField, usernameField } from './fields.ts';
import { html, page, type NextStep } from './html.ts';

/** The parts of every form: the URL that it is sent to, and the token that proves that it is ours. */
export type AccountForm = { action: string; formToken: string };

export function requestMailPage(
  form: AccountForm & { title: string; text: string; email: string; error?: string },
): string {
  const { title, text, email, error } = form;
  return page(
    error === undefined ? title : `Error: ${title}`,
    html`<h1>${title}</h1>
      <p class="quiet">${text}</p>
      ${errorText(error)}
      <form method="post" action="${form.action}">
        <input type="hidden" name="form_token" value="${form.formToken}" />
        ${emailField({ email, focus: true, error })}
        <div class="actions"><button type="submit">Send the mail</button></div>
      </form>`,
  );
}

/** Anyone with the link reads the mails of this address, so the address may be shown; password managers need it. */
export function newPasswordPage(form: AccountForm & { token: string; email: string; error?: string }): string {
  const { error } = form;
  return page(
    error === undefined ? 'Set a new password' : 'Error: set a new password',
    html`<h1>Set a new password</h1>
      <p class="quiet">for ${form.email}</p>
      <p class="quiet" id="rule">At least 8 characters. You will be logged out everywhere.</p>
      ${errorText(error)}
      <form method="post" action="${form.action}">
        ${linkFields(form)} ${usernameField(form.email)} ${newPasswordField({ rule: 'rule', error })}
        <div class="actions"><button type="submit">Set the password</button></div>
      </form>`,
  );
}

export function donePage({ title, text, nextStep }: { title: string; text: string; nextStep?: NextStep }): string {
  return page(
    title,
    html`<h1>${title}</h1>
      <p role="status">${text}</p>
      ${nextStep === undefined ? undefined : html`<p><a href="${nextStep.href}">${nextStep.text}</a></p>`}`,
  );
}

export function failedPage({
  title,
  text,
  nextStep,
}: {
  title: string;
  text: string;
  nextStep: NextStep | undefined;
}): string {
  return page(
    `Error: ${title}`,
    html`<h1>${title}</h1>
      <p role="alert">${text}</p>
      ${nextStep && html`<p><a href="${nextStep.href}">${nextStep.text}</a></p>`}`,
  );
}
