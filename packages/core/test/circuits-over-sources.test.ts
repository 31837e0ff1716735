import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { length } from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { type Simulation, simulate } from '../src/channel/simulate.ts';
import { argmax } from '../src/protocols/argmin.ts';
import { atLeastZero } from '../src/protocols/at-least-zero.ts';
import { constant } from '../src/protocols/compare.ts';
import type { Correlations } from '../src/protocols/correlations.ts';
import { deal, dealerCorrelations, withoutDealer } from '../src/protocols/dealer-correlations.ts';
import { divide } from '../src/protocols/divide.ts';
import { otCorrelations } from '../src/protocols/ot-correlations.ts';
import { suppress } from '../src/protocols/suppress.ts';
import { addConstant, share } from '../src/sharing/additive.ts';
import { partyNames } from './channels.ts';
import { elementsOf, opened } from './circuits.ts';
import { idealBaseOts } from './relations.ts';

const sums = [1000n, 70n, -61n, 8n];
const people = [12n, 4n, 5n, 0n];

/** Means of the cells with five people or more, and the index of the largest sum that is shown. */
async function program(ch: Channel, source: Correlations) {
  const me = ch.context.roster.indexOf(ch.self);
  const [x, n] = [sums, people].map((each) => share(elementsOf(each), ch.context.roster.length, seededRng(3))[me]!);
  const [enough] = await atLeastZero(ch, source, [addConstant(ch, n!, constant(length(n!), -5n))], 8);
  const [cells] = await suppress(ch, source, [{ bits: enough!, vectors: [x!, n!] }]);
  const [shownSums, shownPeople] = cells!.values.map(([piece]) => piece!);
  const means = await divide(ch, source, shownSums!, shownPeople!, 20);
  const { index } = await argmax(ch, source, shownSums!, 1, 20);
  return { means, index, shown: cells!.shown };
}

type Result = Awaited<ReturnType<typeof program>>;

function expectRight({ outcomes }: Simulation<Result | undefined>): void {
  const results = [...outcomes.values()].flatMap((outcome) => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value === undefined ? [] : [outcome.value];
  });
  const means = opened(results.map((each) => each.means));
  expect([means[0], means[2]]).toEqual([83n, -13n]);
  expect(opened(results.map((each) => each.index))).toEqual([0n]);
  expect(opened(results.map((each) => each.shown))).toEqual([1n, 0n, 1n, 0n]);
}

describe('circuits', () => {
  for (const parties of [2, 3]) {
    it(`are right on oblivious transfer among ${parties}`, async () => {
      const options = { parties: partyNames(parties), seed: parties };
      const run = simulate(options, async (ch): Promise<Result> => {
        const rng = seededRng(ch.context.roster.indexOf(ch.self));
        return program(ch, await otCorrelations(ch, rng, { base: idealBaseOts }));
      });
      expectRight(await run);
    });

    it(`are right with a dealer for ${parties}`, async () => {
      const options = { parties: [...partyNames(parties), 'dealer'], seed: parties };
      const run = simulate(options, async (ch): Promise<Result | undefined> => {
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
