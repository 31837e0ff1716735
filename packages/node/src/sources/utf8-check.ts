/**
 * Whether bytes that come in chunks are UTF-8, strictly (no overlong forms, no surrogates).
 * @module
 */
import { isUtf8 } from 'node:buffer';

export interface Utf8Check {
  see(chunk: Buffer): void;
  /** Whether all that was seen is UTF-8 from end to end. */
  end(): boolean;
}

export function utf8Check(): Utf8Check {
  let good = true;
  /** The first bytes of a character that the next chunk completes: three at most. */
  let open: Buffer = Buffer.alloc(0);
  return {
    see(chunk) {
      if (!good) return;
      const bytes = open.length === 0 ? chunk : Buffer.concat([open, chunk]);
      const whole = bytes.length - openBytes(bytes);
      good = isUtf8(bytes.subarray(0, whole));
      open = Buffer.from(bytes.subarray(whole));
    },
    end: () => good && open.length === 0,
  };
}

/** How many bytes at the end may begin a character that is not complete yet. */
function openBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return back < (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) ? back : 0;
  }
  return 0;
}
