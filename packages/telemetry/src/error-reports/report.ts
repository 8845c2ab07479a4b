/** An error that an operator should know of. Only the parts that `describeError` selects leave the process. */
export type ErrorReport = {
  kind: 'uncaught' | 'server_error' | 'dead_letter';
  /** The error, if there is one. Only its class, its code and the frames of its stack are sent. */
  error?: unknown;
  /** The place of the error, in values that the code defines: routes, codes, event types, handler names, ids. Never text from outside. */
  tags?: Readonly<Record<string, string | number | undefined>>;
};

/** Reports an error to the tracker of errors, if one is configured. Never waits and never throws. */
export type ReportError = (report: ErrorReport) => void;

export const reportNothing: ReportError = () => undefined;
