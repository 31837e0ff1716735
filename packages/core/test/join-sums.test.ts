/** The sums of joins of random sides, held against a loop over all pairs of rows. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { joinSumsCost } from '../src/engine/join-cost.ts';
import { draw, elements, plainSums, planOf, run } from './join-sides.ts';

it('adds up what both sides bring of every key that they share, over every kind of cell, factor and column', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(2 ** 20), async (seed) => {
      const drawn = draw(seed);
      expect((await run(drawn, seed)).sums).toEqual(plainSums(drawn));
    }),
    { numRuns: 12 },
  );
});

it('costs what its plan says, to the byte, and takes as much of its source', async () => {
  for (const seed of [3, 4, 5, 6]) {
    const drawn = draw(seed);
    const plan = planOf(drawn, seed);
    const { rounds, bytes, taken } = await run(drawn, seed);
    const cost = joinSumsCost(plan, { receiver: elements, sender: elements });
    expect({ rounds, bytes, taken }).toEqual({ rounds: cost.rounds, bytes: cost.bytes, taken: cost.demand });
  }
});
