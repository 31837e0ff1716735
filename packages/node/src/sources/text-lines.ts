/**
 * A file of text line by line, whatever its chunks, with no more than one line and one chunk in memory.
 * @module
 */
import { isUtf8 } from 'node:buffer';

const [lf, cr] = [0x0a, 0x0d];
/** Of a longer line nothing is kept. */
export const lineBytesMax = 1 << 20;
const none = Buffer.alloc(0);

export interface TextLines {
  see(chunk: Buffer): void;
  /** The last line may have no end. */
  end(): void;
}

/**
 * Every line without its end, undefined for one that is too long or no UTF-8. What ends a line is a line feed (after a
 * carriage return or not); with `orCr` also a carriage return alone, where the first line ends in one.
 */
export function textLines(see: (line: string | undefined) => void, { orCr }: { readonly orCr: boolean }): TextLines {
  let lineEnd: number | undefined = orCr ? undefined : lf;
  let pending: Buffer = none;
  let isSkipping = false;

  const line = (bytes: Buffer, from: number, to: number): void => {
    const end = lineEnd === lf && to > from && bytes[to - 1] === cr ? to - 1 : to;
    // A line is left out by its own length, wherever the chunks of the file end.
    const isText = !isSkipping && to - from <= lineBytesMax;
    const text = isText ? bytes.toString('utf8', from, end) : undefined;
    see(text?.includes('\ufffd') && !isUtf8(bytes.subarray(from, end)) ? undefined : text);
    isSkipping = false;
  };
  return {
    see(chunk) {
      const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      lineEnd ??= lineEndOf(bytes);
      let from = 0;
      if (lineEnd !== undefined) {
        for (let to = bytes.indexOf(lineEnd); to >= 0; to = bytes.indexOf(lineEnd, from)) {
          line(bytes, from, to);
          from = to + 1;
        }
      }
      // The chunk is valid only during the call.
      pending = Buffer.from(bytes.subarray(from));
      if (pending.length > lineBytesMax) {
        pending = none;
        isSkipping = true;
      }
    },
    end() {
      lineEnd ??= lf;
      if (pending.length > 0 || isSkipping) line(pending, 0, pending.length);
      pending = none;
    },
  };
}

/** Undefined where no line has ended yet: after a carriage return that is the last byte it is not known. */
function lineEndOf(bytes: Buffer): number | undefined {
  const [feed, carriage] = [bytes.indexOf(lf), bytes.indexOf(cr)];
  if (carriage < 0 || (feed >= 0 && feed < carriage)) return feed < 0 ? undefined : lf;
  if (carriage === bytes.length - 1) return undefined;
  return bytes[carriage + 1] === lf ? lf : cr;
}
