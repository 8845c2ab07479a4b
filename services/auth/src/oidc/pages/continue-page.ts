import { html, page } from './html.ts';

/** Opens a URL at once, with a GET that is not caused by a form. The link is for browsers that are configured not to open pages automatically. */
export function onwardPage(to: string): string {
  return page(
    'Continue',
    html`<h1>Continue</h1>
      <p role="status">If nothing happens, <a href="${to}">continue here</a>.</p>`,
    html`<meta http-equiv="refresh" content="0;url=${to}" />`,
  );
}
