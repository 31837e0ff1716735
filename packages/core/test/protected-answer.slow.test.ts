import { describe, expect, it } from 'vitest';
import { coverageOf, measures } from './noisy-measures.ts';

describe('an interval of 95%', () => {
  it.each(Object.keys(measures))('covers the exact %s in 93 to 99 of a hundred', (name) => {
    for (const [path, share] of coverageOf(name, [1, 2, 3, 4, 5, 6, 7, 8])) {
      expect(share, path).toBeGreaterThanOrEqual(0.93);
      expect(share, path).toBeLessThanOrEqual(0.99);
    }
  });
});
