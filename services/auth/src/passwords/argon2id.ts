import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

const derive = promisify(argon2);

/** The cost of a hash: memory in KiB, passes over the memory, and lanes. */
export type Cost = { memory: number; passes: number; parallelism: number };

/** OWASP Password Storage Cheat Sheet, argon2id: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html */
export const owaspCost: Cost = { memory: 19_456, passes: 2, parallelism: 1 };

/** RFC 9106 section 3.1: 16 bytes of salt are sufficient for passwords; section 4: a tag of 256 bits. */
const saltLength = 16;
const tagLength = 32;

/** Hashes a password to a PHC string: https://github.com/P-H-C/phc-string-format/blob/master/phc-sf-spec.md */
export async function hashPassword(password: string, cost: Cost): Promise<string> {
  const salt = randomBytes(saltLength);
  return phc(cost, salt, await argon2id(password, salt, cost, tagLength));
}

/** Whether the password matches a PHC string, and whether that string was created with a cost other than `cost`. */
export async function verifyPassword(
  password: string,
  hash: string,
  cost: Cost,
): Promise<{ matches: boolean; outdated: boolean }> {
  const made = parse(hash);
  const tag = await argon2id(password, made.salt, made.cost, made.tag.length);
  const { memory, passes, parallelism } = made.cost;
  return {
    matches: timingSafeEqual(tag, made.tag),
    outdated:
      memory !== cost.memory ||
      passes !== cost.passes ||
      parallelism !== cost.parallelism ||
      made.tag.length !== tagLength,
  };
}

/** A PHC string that no password matches, and that takes as long to check as any other hash with this cost. */
export function unmatchableHash(cost: Cost): string {
  return phc(cost, randomBytes(saltLength), randomBytes(tagLength));
}

function phc({ memory, passes, parallelism }: Cost, salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

async function argon2id(password: string, nonce: Buffer, cost: Cost, length: number): Promise<Buffer> {
  // NIST SP 800-63B 3.1.1.2: the same characters typed on another keyboard are the same password
  const message = password.normalize('NFKC');
  return await derive('argon2id', { message, nonce, tagLength: length, ...cost });
}

const phcString = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/;

function parse(hash: string): { cost: Cost; salt: Buffer; tag: Buffer } {
  const [, memory, passes, parallelism, salt, tag] = phcString.exec(hash) ?? [];
  if (salt === undefined || tag === undefined) throw new Error('a stored password hash is not an argon2id PHC string');
  return {
    cost: { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}
