/** Makes a UUID from 32 hexadecimal digits. Its version and variant (RFC 9562 section 4) replace six of the bits. */
export function uuidFrom(hex: string, version: 7 | 8): string {
  const variant = (8 + (Number.parseInt(hex.slice(16, 17), 16) % 4)).toString(16);
  const digits = `${hex.slice(0, 12)}${version}${hex.slice(13, 16)}${variant}${hex.slice(17, 32)}`;
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
