import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** NIST SP 800-38D section 8.2.2: random nonces of 96 bits; the few keys are far below the limit of 2^32 encryptions for one secret. */
const nonceLength = 12;
const tagLength = 16;

/** Encrypts with AES-256-GCM, bound to `name`: data sealed under one name can't be opened under another. */
export function seal(secret: Buffer, name: string, plain: Buffer): Buffer {
  const nonce = randomBytes(nonceLength);
  const cipher = createCipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagLength }).setAAD(Buffer.from(name));
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

/** @throws if the secret or the name differs, or the bytes were changed. */
export function unseal(secret: Buffer, name: string, sealed: Buffer): Buffer {
  const nonce = sealed.subarray(0, nonceLength);
  const tag = sealed.subarray(nonceLength, nonceLength + tagLength);
  const decipher = createDecipheriv('aes-256-gcm', secret, nonce, { authTagLength: tagLength })
    .setAAD(Buffer.from(name))
    .setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(nonceLength + tagLength)), decipher.final()]);
}
