/**
 * The modules that are used of oidc-provider. Its entry only gives them on, and writes a warning to stderr under every Node.js
 * that has no LTS name (yet), which would stand between the lines of our logs.
 */
declare module 'oidc-provider/lib/provider.js' {
  export { Provider } from 'oidc-provider';
}

declare module 'oidc-provider/lib/helpers/interaction_policy/index.js' {
  import { interactionPolicy } from 'oidc-provider';
  export = interactionPolicy;
}

declare module 'oidc-provider/lib/helpers/errors.js' {
  import { errors } from 'oidc-provider';
  export = errors;
}
