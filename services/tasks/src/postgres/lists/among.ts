/**
 * SQL that follows a column: whether it has one of the values. A single value is compared with =, so that an index returns the rows in its order.
 */
export function among(
  values: readonly unknown[],
  type: 'text' | 'uuid',
  parameter: (value: unknown) => string,
): string {
  return values.length === 1 ? `= ${parameter(values[0])}` : `= ANY (${parameter(values)}::${type}[])`;
}
