/** Sums over more bins than a bucket has. */
import { expect, it } from 'vitest';
import { bucketsOf, joinSumsCost } from '../src/engine/join-cost.ts';
import { binsFor } from '../src/protocols/cuckoo.ts';
import { draw, plainSums, planOf, run } from './join-sides.ts';

it('adds up over several buckets, some at once, at the cost stated', async () => {
  const count = 40_000;
  // Numbers of both sides, of up to 40 bits, so that a bin takes many transfers.
  const drawn = draw(5, count, [
    [4, 4],
    [5, 4],
    [4, 5],
    [5, 5],
    [0, 0],
    [4, 0],
    [5, 1],
  ]);
  const plan = planOf(drawn, 5);
  expect(bucketsOf(plan, binsFor(count)).length).toBeGreaterThan(2);
  const { sums, rounds, bytes, taken } = await run(drawn, 5);
  expect(sums).toEqual(plainSums(drawn));
  const cost = joinSumsCost(plan, { receiver: count, sender: count });
  expect({ rounds, bytes, taken }).toEqual({ rounds: cost.rounds, bytes: cost.bytes, taken: cost.demand });
});
