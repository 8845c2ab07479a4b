/** Logs a warning as a line of JSON, with the fields that the lines of services have. */
export function warn(message: string, fields: Readonly<Record<string, string>>): void {
  console.log(JSON.stringify({ timestamp: new Date().toISOString(), level: 'warn', message, ...fields }));
}
