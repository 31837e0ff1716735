import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { rational } from '../src/algebra/rational.ts';
import type { Vector } from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { type Simulation, simulate } from '../src/channel/simulate.ts';
import { toRing } from '../src/protocols/convert.ts';
import type { Correlations } from '../src/protocols/correlations.ts';
import { deal, dealerCorrelations, withoutDealer } from '../src/protocols/dealer-correlations.ts';
import { largestSum } from '../src/protocols/largest.ts';
import { locateQuantile } from '../src/protocols/locate.ts';
import { otCorrelations } from '../src/protocols/ot-correlations.ts';
import { quotientOf } from '../src/protocols/quotient.ts';
import { roundTo } from '../src/protocols/round.ts';
import { share } from '../src/sharing/additive.ts';
import { partyNames } from './channels.ts';
import { elementsOf, opened } from './circuits.ts';
import { idealBaseOts } from './relations.ts';

const sums = [1000n, 70n, -63n, 8n];
const people = [12n, 4n, 0n, 9n];
const bins = [1n, 6n, 2n, 3n].map((count) => [count, 0n, 0n, count]);
const totals = [
  [9n, 1n, 0n, 5n],
  [4n, 8n, 0n, 5n],
  [7n, 2n, 3n, 6n],
];

/** What is derived from the sums of four cells. */
async function program(ch: Channel, source: Correlations): Promise<Vector[]> {
  const me = ch.context.roster.indexOf(ch.self);
  const shareOf = (integers: readonly bigint[]) =>
    share(elementsOf(integers), ch.context.roster.length, seededRng(3))[me]!;
  const rounded = await roundTo(ch, source, shareOf(sums), 5n, 20);
  const bounds = { numeratorBits: 20, denominatorBits: 10, factor: 100n };
  const { value, defined } = await quotientOf(ch, source, shareOf(sums), shareOf(people), bounds);
  const { place, fraction } = await locateQuantile(ch, source, bins.map(shareOf), rational(1n, 2n), 100n);
  const largest = await largestSum(ch, source, totals.map(shareOf), 2, 10);
  return [rounded, value, await toRing(ch, source, defined), place, fraction, largest];
}

function expectRight({ outcomes }: Simulation<Vector[] | undefined>): void {
  const results = [...outcomes.values()].flatMap((outcome) => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value === undefined ? [] : [outcome.value];
  });
  expect(results[0]!.map((_, i) => opened(results.map((each) => each[i]!)))).toEqual([
    [1000n, 70n, -65n, 10n],
    [8333n, 1750n, 0n, 89n],
    [1n, 1n, 0n, 1n],
    [1n, 4n, 4n, 1n],
    [833_333n, 0n, 0n, 833_333n],
    [16n, 10n, 3n, 11n],
  ]);
}

describe('what is derived from sums', () => {
  for (const parties of [2, 3]) {
    it(`is right on oblivious transfer among ${parties}`, async () => {
      const run = simulate({ parties: partyNames(parties), seed: parties }, async (ch): Promise<Vector[]> => {
        const rng = seededRng(ch.context.roster.indexOf(ch.self));
        return program(ch, await otCorrelations(ch, rng, { base: idealBaseOts }));
      });
      expectRight(await run);
    });

    it(`is right with a dealer for ${parties}`, async () => {
      const options = { parties: [...partyNames(parties), 'dealer'], seed: parties };
      const run = simulate(options, async (ch): Promise<Vector[] | undefined> => {
        if (ch.self === 'dealer') return deal(ch) as Promise<undefined>;
        const source = dealerCorrelations(ch, 'dealer');
        const result = await program(withoutDealer(ch, 'dealer'), source);
        await source.close();
        return result;
      });
      expectRight(await run);
    });
  }
});
