/** Returns the form in which addresses are compared; the database compares them with `lower` in the C collation. */
export function foldEmail(email: string): string {
  return email.trim().toLowerCase();
}

/** Whether two addresses differ in spelling at most. */
export function isSameAddress(one: string, other: string): boolean {
  return foldEmail(one) === foldEmail(other);
}

/** The domain of an address that has passed contract validation: it is in ASCII, and the address has one @ and no final dot. */
export function domainOf(email: string): string {
  return foldEmail(email.slice(email.lastIndexOf('@') + 1));
}
