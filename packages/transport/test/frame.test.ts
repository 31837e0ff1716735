import type { TransportError } from '@folkmoot/core/errors.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeFrame,
  encodeFrame,
  frameBytesMax,
  frameHeaderBytes,
  framePayloadBytesMax,
  frameType,
  sessionId,
} from '../src/frame.ts';

const header = { type: frameType.session, session: new Uint8Array(16).fill(7), from: 2, to: 0xffff, sequence: 9 };

function codeOf(bytes: Uint8Array): string {
  try {
    decodeFrame(bytes);
    return 'ok';
  } catch (error) {
    return (error as TransportError).code;
  }
}

describe('a frame', () => {
  it('has the bytes of its specification', () => {
    const bytes = encodeFrame(header, Uint8Array.of(1, 2, 3));
    expect(Buffer.from(bytes).toString('hex')).toBe(`01020000${'07'.repeat(16)}0200ffff0900000003000000010203`);
  });

  it('decodes to what was encoded', () => {
    fc.assert(
      fc.property(
        fc.record({
          type: fc.constantFrom(1, 2, 3, 4, 5, 6),
          session: fc.uint8Array({ minLength: 16, maxLength: 16 }),
          from: fc.integer({ min: 0, max: 0xffff }),
          to: fc.integer({ min: 0, max: 0xffff }),
          sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
        }),
        fc.uint8Array({ maxLength: 200 }),
        (fields, payload) => {
          const decoded = decodeFrame(encodeFrame(fields as typeof header, payload));
          expect({ ...decoded, session: [...decoded.session], payload: [...decoded.payload] }).toEqual({
            ...fields,
            session: [...fields.session],
            payload: [...payload],
          });
        },
      ),
    );
  });

  it('is 1 MiB at most, header included', () => {
    const largest = encodeFrame(header, new Uint8Array(framePayloadBytesMax));
    expect(largest).toHaveLength(frameBytesMax);
    expect(codeOf(largest)).toBe('ok');
    expect(codeOf(new Uint8Array(frameBytesMax + 1))).toBe('FRAME_TOO_LARGE');
    expect(() => encodeFrame(header, new Uint8Array(framePayloadBytesMax + 1))).toThrow(/over the limit/);
  });

  it('is refused when it is cut anywhere, or has a byte too many', () => {
    const bytes = encodeFrame(header, Uint8Array.of(1, 2, 3));
    for (let length = 0; length < bytes.length; length++) expect(codeOf(bytes.subarray(0, length))).toBe('BAD_FRAME');
    expect(codeOf(Buffer.concat([bytes, Uint8Array.of(0)]))).toBe('BAD_FRAME');
  });

  it('is refused with another version, an unknown type, or a reserved bit', () => {
    for (const [at, value] of [
      [0, 0],
      [0, 2],
      [1, 0],
      [1, 7],
      [2, 1],
      [3, 0x80],
    ] as const) {
      const bytes = encodeFrame(header, new Uint8Array(0));
      bytes[at] = value;
      expect(codeOf(bytes)).toBe('BAD_FRAME');
    }
  });

  it('gives a value or a typed error for any bytes', () => {
    const almost = fc.uint8Array({ minLength: frameHeaderBytes, maxLength: 64 }).map((bytes) => {
      bytes.set([1, 2, 0, 0]);
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), almost), (bytes) => {
        expect(['ok', 'BAD_FRAME']).toContain(codeOf(bytes));
      }),
      { numRuns: 3000 },
    );
  });
});

describe('a session id', () => {
  const job = new Uint8Array(32).fill(1);

  it('is the same from both ends, and another for each job, attempt and pair', () => {
    expect(sessionId(job, 1, 'a', 'b')).toEqual(sessionId(job, 1, 'b', 'a'));
    const ids = [
      sessionId(job, 1, 'a', 'b'),
      sessionId(job, 2, 'a', 'b'),
      sessionId(job, 1, 'a', 'c'),
      sessionId(new Uint8Array(32), 1, 'a', 'b'),
      sessionId(job, 1, 'ab', ''),
    ];
    expect(new Set(ids.map((id) => Buffer.from(id).toString('hex'))).size).toBe(5);
    expect(ids[0]).toHaveLength(16);
  });
});
