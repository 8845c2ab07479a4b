export { hasAddress } from './addresses.ts';
export { withoutLinks } from './without-links.ts';
export { hasHiddenCharacter, hasVisibleCharacter, readingKey, withoutInvisible } from './invisible.ts';
export { mentionsIn } from './mentions.ts';
