import type { IncomingMessage } from 'node:http';
import { problem } from '@taskwire/errors';

/**
 * Rejects a body whose declared length exceeds `limit` bytes, before reading any of it.
 * @throws Problem `payload_too_large`.
 */
export function refuseLargeBody(request: IncomingMessage, limit: number): void {
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
}

/**
 * Reads a whole body of at most `limit` bytes. A request with a rejected body gets its response at once; the server discards the rest of the body as
 * it arrives.
 * @throws Problem `payload_too_large`; `unsupported_media_type` for a compressed body, whose size is unknown before decompression; `bad_request` when
 * the connection ends before the body does.
 */
export async function readBytes(request: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw problem('unsupported_media_type', 'Send the body without Content-Encoding.');
  }
  refuseLargeBody(request, limit);
  return await new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (act: () => void) => {
      request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onClose);
      act();
    };
    const onData = (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > limit) {
        finish(() => reject(tooLarge(limit)));
        request.resume();
      }
    };
    const onEnd = () => finish(() => resolve(Buffer.concat(chunks)));
    const onClose = () =>
      finish(() => reject(problem('bad_request', 'The connection ended before the body was complete.')));
    request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onClose);
  });
}

function tooLarge(limit: number): Error {
  return problem('payload_too_large', `The body must have at most ${limit} bytes.`);
}
