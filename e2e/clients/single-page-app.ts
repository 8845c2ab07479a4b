import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';

// the package exports no file for pages without a bundler
const library = readFileSync(new URL('../browser/oidc-client-ts.min.js', import.meta.resolve('oidc-client-ts')));

/**
 * A single-page application that logs users in with oidc-client-ts, as its documentation shows. Its settings are in the URL of its first page.
 * `manager` is its UserManager, and `log` lists the events of that manager. Tabs share the user in localStorage.
 */
const page = `<!doctype html>
<html lang="en"><title>App</title><script src="/oidc-client-ts.js"></script>
<script>
const given = new URLSearchParams(location.search).get('settings');
if (given !== null) localStorage.setItem('settings', given);
const settings = JSON.parse(localStorage.getItem('settings') ?? '{}');
window.log = [];
if (settings.authority !== undefined) {
  window.manager = new oidc.UserManager({ ...settings, userStore: new oidc.WebStorageStateStore({ store: localStorage }) });
  manager.events.addUserLoaded(() => log.push('user loaded'));
  manager.events.addSilentRenewError((error) => log.push('renewal failed: ' + error.message));
}
window.ready = (async () => {
  if (location.pathname === '/callback') await manager.signinCallback();
  if (location.pathname === '/bye') await manager.signoutCallback();
})();
</script>`;

export const singlePageApp: RequestListener = (request, response) => {
  if (request.url === '/oidc-client-ts.js') {
    response.writeHead(200, { 'content-type': 'text/javascript' }).end(library);
  } else {
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page);
  }
};
