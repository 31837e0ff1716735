/**
 * The body of a request, as text and within its limit, whether its length was said before or it comes in chunks.
 * @module
 */
import { InputError, StateError } from '@folkmoot/core/errors.js';

/**
 * Reads no further than the limit, and nothing where the length that was said is beyond it.
 * @throws StateError REQUEST_TOO_LARGE
 * @throws InputError BAD_SYNTAX where it is no UTF-8
 */
export async function bodyText({ headers, body }: Request, bytesMax: number): Promise<string> {
  const tooLarge = () => new StateError('REQUEST_TOO_LARGE', { detail: `${bytesMax} bytes are the limit` });
  if (Number(headers.get('content-length') ?? 0) > bytesMax) throw tooLarge();
  if (body === null) return '';
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body as ReadableStream<Uint8Array>) {
    bytes += piece.length;
    if (bytes > bytesMax) throw tooLarge();
    pieces.push(piece);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(pieces));
  } catch {
    throw new InputError('BAD_SYNTAX', { field: 'body', detail: 'it is not UTF-8' });
  }
}
