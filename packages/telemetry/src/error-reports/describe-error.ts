import { fileURLToPath } from 'node:url';
import { codeOf } from '../error-type.ts';

/** A frame of a stack: its file relative to the installation, or a module of Node. */
export type Frame = { function?: string; filename: string; lineno: number; colno: number; in_app: boolean };

/** An error as it leaves the process: without its message and fields, in which drivers, parsers and servers quote names, addresses and values. */
export type DescribedError = { type: string; code: string | undefined; frames: Frame[] };

/** A chain of causes is rarely longer. */
const maxErrors = 5;
const maxFrames = 50;

/** The folder above packages/ and services/. */
const root = fileURLToPath(new URL('../../../../', import.meta.url));

const framePattern =
  /^ {4}at (?:async )?(?:(?<name>[\w$.<>[\] ]{1,200}) \()?(?<file>(?:file:\/\/\/|node:|\/)[^()\s]+):(?<line>\d+):(?<column>\d+)\)?$/;
const namePattern = /^[A-Za-z_$][\w$]{0,100}$/;

/** Describes an error and its causes, the error itself first. */
export function describeError(error: unknown): DescribedError[] {
  const described: DescribedError[] = [];
  for (let next = error; next !== undefined && next !== null && described.length < maxErrors;) {
    if (!(next instanceof Error)) {
      described.push({ type: typeof next, code: undefined, frames: [] });
      break;
    }
    const type = namePattern.test(next.name) ? next.name : 'Error';
    described.push({ type, code: codeOf(next), frames: framesOf(next) });
    next = next.cause;
  }
  return described;
}

/** Returns the frames of a stack, the outermost first. */
function framesOf(error: Error): Frame[] {
  const lines = withoutMessage(error).split('\n').slice(0, maxFrames);
  return lines.flatMap((line) => frameOf(line)).toReversed();
}

/** The message may have several lines, some of which could look like frames. */
function withoutMessage({ stack = '', message }: Error): string {
  const at = message === '' ? -1 : stack.indexOf(message);
  if (at !== -1) return stack.slice(at + message.length);
  // the message was changed after the stack was written, so its end is unknown, unless the stack has no message
  return message === '' ? stack : '';
}

function frameOf(line: string): Frame[] {
  const found = framePattern.exec(line)?.groups;
  if (found === undefined) return [];
  const { name, file = '', line: lineno, column } = found;
  const path = file.startsWith('file://') ? fileURLToPath(file) : file;
  if (!path.startsWith('node:') && !path.startsWith(root)) return [];
  const filename = path.startsWith('node:') ? path : `app:///${path.slice(root.length)}`;
  const isOurs = filename.startsWith('app:///') && !filename.includes('node_modules/');
  const place = { filename, lineno: Number(lineno), colno: Number(column), in_app: isOurs };
  return [name === undefined ? place : { function: name, ...place }];
}
