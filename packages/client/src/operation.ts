/** One operation of the API, as the generated table describes it. */
export type Operation = {
  id: string;
  method: string;
  /** An OpenAPI path template, for example `/api/v1/tasks/{id}`. */
  path: string;
  /** The status of a success. Any other status below 400 did not come from Taskwire. */
  status: number;
  /** The names of the query parameters; present if the method takes a query. */
  query?: readonly string[];
  /** Whether the method takes its query in the options, because earlier releases of the operation had none. */
  queryInOptions?: true;
  body?: 'required' | 'optional';
  ifMatch?: 'required' | 'optional';
  /** Whether the operation takes an Idempotency-Key. */
  idempotent?: true;
  /** Whether a POST without a key can be repeated without a second effect. */
  repeatable?: true;
  /** Whether the response is a page of a list. */
  list?: true;
  /** Whether the response is a page of a feed of changes. */
  feed?: true;
  /** Whether a request can wait for another representation than the known one; its group then has a method `watch`. */
  watch?: true;
  /** Whether the response is a stream of events. */
  stream?: true;
  /** Whether no access token is sent. */
  open?: true;
};

export type OperationTable = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** Freezes the table and everything in it. */
export function frozenTable(table: OperationTable): OperationTable {
  for (const group of Object.values(table)) {
    for (const operation of Object.values(group)) Object.freeze(operation);
    Object.freeze(group);
  }
  return Object.freeze(table);
}
