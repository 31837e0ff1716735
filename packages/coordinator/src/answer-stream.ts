/**
 * The envelope of an answer as JSON, written piece by piece:
 *
 *   { job, attempt, signed, acceptances, asked?, openings: [ { party, commitments, signatures, sealed: base64 } … ] }
 *
 * One sealed opening is in memory at a time, and none is read before the client has taken the one before.
 * @module
 */
import type { AnswerParts } from './coordinator.ts';

/** A multiple of three bytes, so that the pieces of base64 join without padding. */
const pieceBytes = 3 * 256 * 1024;

export function answerStream(parts: AnswerParts): ReadableStream<Uint8Array> {
  const texts = answerText(parts);
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await texts.next();
        if (done === true) controller.close();
        else controller.enqueue(encoder.encode(value));
      },
      async cancel() {
        await texts.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

async function* answerText({ openings, ...header }: AnswerParts): AsyncGenerator<string, undefined> {
  yield `${JSON.stringify(header).slice(0, -1)},"openings":[`;
  let separator = '';
  for await (const { sealed, ...opening } of openings) {
    yield `${separator}${JSON.stringify(opening).slice(0, -1)},"sealed":"`;
    for (let at = 0; at < sealed.length; at += pieceBytes) {
      const piece = sealed.subarray(at, at + pieceBytes);
      yield Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength).toString('base64');
    }
    yield '"}';
    separator = ',';
  }
  yield ']}';
  return undefined;
}
