import { html, page } from './html.ts';

/** Opens a URL at once, by a GET that comes from no form. The link is for browsers configured not to do that. */
export function onwardPage(to: string): string {
  return page(
    'Continue',
    html`<h1>Continue</h1>
      <p role="status">If nothing happens, <a href="${to}">continue here</a>.</p>`,
    html`<meta http-equiv="refresh" content="0;url=${to}" />`,
  );
}
