import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

// enough for the last stack trace or RabbitMQ's boxed boot error
const tailBytes = 8192;

/** The last lines of a log file, for error messages; an empty string if the file does not exist yet. */
export function lastLines(file: string, count = 15): string {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    readSync(fd, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString('utf8').split('\n');
    return lines
      .map((line) => line.trimEnd())
      .filter((line) => line !== '')
      .slice(-count)
      .join('\n');
  } finally {
    closeSync(fd);
  }
}
