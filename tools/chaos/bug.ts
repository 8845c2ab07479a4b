/**
 * A deliberate bug that the checker has to find. Each bug is a patch of the text of one product file, applied when a service loads the file; the
 * product has no switch for it. A patch whose text is not found stops the service, so no patch can become outdated unnoticed.
 */
export type Bug = {
  what: string;
  patches: { file: string; find: string; put: string }[];
};
