import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guard } from '../src/guard.ts';
import { expectTypedOrValue, hostileBytes } from './decoder-fuzz.ts';

describe('the decoders', () => {
  it('give a value or a typed error for 200,000 hostile inputs', () => {
    fc.assert(fc.property(hostileBytes, expectTypedOrValue), { numRuns: 200_000 });
  });

  it('take no memory for what a count only promises', () => {
    const promises = [0xdd, 0xdf, 0xc6, 0xdb].map((head) => Uint8Array.of(head, 0x7f, 0xff, 0xff, 0xff));
    const before = process.memoryUsage();
    for (let i = 0; i < 100_000; i++) {
      try {
        guard(promises[i % promises.length]!);
      } catch {
        // Refused, which is what the test wants.
      }
    }
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(8_000_000);
    expect(after.rss - before.rss).toBeLessThan(200_000_000);
  });
});
