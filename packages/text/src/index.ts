export { hasAddress } from './addresses.ts';
export { withoutLinks } from './without-links.ts';
export { hasHiddenCharacter, hasVisibleCharacter, withoutInvisible } from './invisible.ts';
