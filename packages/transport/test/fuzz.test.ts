import fc from 'fast-check';
import { describe, it } from 'vitest';
import { expectTypedOrValue, hostileBytes } from './decoder-fuzz.ts';

describe('the decoders', () => {
  it('give a value or a typed error for some thousands of hostile inputs', () => {
    fc.assert(fc.property(hostileBytes, expectTypedOrValue), { numRuns: 3000 });
  });
});
