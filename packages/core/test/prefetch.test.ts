import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Channel } from '../src/channel/channel.ts';
import type { Correlations, Demand } from '../src/protocols/correlations.ts';
import { pieceMax } from '../src/protocols/cost.ts';
import { deal, dealerCorrelations, dealerPreprocessing } from '../src/protocols/dealer-correlations.ts';
import { idealCorrelations } from '../src/protocols/ideal-correlations.ts';
import { handOut, prefetch } from '../src/protocols/prefetch.ts';
import { turns } from '../src/protocols/turns.ts';
import { wordsFor } from '../src/sharing/bit-share.ts';
import { channels, partyNames } from './channels.ts';
import { lockstep } from './lockstep.ts';
import { expectBitTriples, expectSharedBits, expectTriples } from './relations.ts';

const none: Demand = { bitTriples: 0, triples: 0, sharedBits: 0 };

/** Each party's source, filled with a demand of ideal correlations. */
function filled(parties: number, demand: Demand): Promise<Correlations[]> {
  return Promise.all(channels(partyNames(parties)).map((ch) => prefetch(idealCorrelations(ch, 1), demand)));
}

describe('prefetched correlations', () => {
  it('fulfil their relations, however they are cut', async () => {
    const cuts = fc.array(fc.integer({ min: 0, max: 100 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(cuts, cuts, cuts, async (bits, products, shared) => {
        const demand: Demand = {
          bitTriples: bits.reduce((sum, count) => sum + 32 * wordsFor(count), 0),
          triples: products.reduce((sum, count) => sum + count, 0),
          sharedBits: shared.reduce((sum, count) => sum + count, 0),
        };
        const sources = await filled(3, demand);
        for (const count of bits) expectBitTriples(await Promise.all(sources.map((s) => s.bitTriples(count))), count);
        for (const count of products) expectTriples(await Promise.all(sources.map((s) => s.triples(count))), count);
        for (const count of shared) {
          expectSharedBits(await Promise.all(sources.map((s) => s.sharedBits(count))), count);
        }
        for (const source of sources) {
          await expect(source.bitTriples(1)).rejects.toThrow('no more correlations');
          await expect(source.triples(1)).rejects.toThrow('no more correlations');
          await expect(source.sharedBits(1)).rejects.toThrow('no more correlations');
        }
      }),
      { numRuns: 60 },
    );
  });

  it('are those of the source, in its order, each once', async () => {
    const demand: Demand = { bitTriples: 320, triples: 50, sharedBits: 77 };
    const [whole] = await Promise.all(
      channels(['a', 'b']).map(async (ch) => {
        const source = idealCorrelations(ch, 1);
        return {
          bits: await source.bitTriples(320),
          products: await source.triples(50),
          of: await source.sharedBits(77),
        };
      }),
    );
    const [source] = await filled(2, demand);
    const bits = [await source!.bitTriples(33), await source!.bitTriples(96), await source!.bitTriples(160)];
    expect(bits.flatMap(({ a }) => [...a])).toEqual([...whole!.bits.a]);
    const products = [await source!.triples(20), await source!.triples(30)];
    expect(products.flatMap(({ c }) => [...c.words])).toEqual([...whole!.products.c.words]);
    const shared = [await source!.sharedBits(3), await source!.sharedBits(40), await source!.sharedBits(34)];
    expect(shared.flatMap(({ ring }) => [...ring.words])).toEqual([...whole!.of.ring.words]);
  });

  it('come from all stocks, one after the other, also across their borders', async () => {
    const stocks = await Promise.all(
      channels(partyNames(2)).map(async (ch) => {
        const source = idealCorrelations(ch, 2);
        const stock = async (sharedBits: number) => ({
          bitTriples: [await source.bitTriples(64), await source.bitTriples(96)],
          triples: [await source.triples(5)],
          sharedBits: [await source.sharedBits(sharedBits)],
        });
        return [await stock(64), await stock(33)];
      }),
    );
    const sources = stocks.map(handOut);
    for (const count of [96, 224]) expectBitTriples(await Promise.all(sources.map((s) => s.bitTriples(count))), count);
    for (const count of [4, 6]) expectTriples(await Promise.all(sources.map((s) => s.triples(count))), count);
    for (const count of [50, 47]) expectSharedBits(await Promise.all(sources.map((s) => s.sharedBits(count))), count);
  });

  it('are never more than were made, nor a part of one', async () => {
    const [source] = await filled(2, { bitTriples: 32, triples: 3, sharedBits: 20 });
    await expect(source!.bitTriples(33)).rejects.toThrow('no more correlations');
    await expect(source!.triples(4)).rejects.toThrow('no more correlations');
    // The word has more bits, but they are none.
    await expect(source!.sharedBits(21)).rejects.toThrow('no more correlations');
    await expect(source!.triples(1.5)).rejects.toThrow('whole numbers');
    await expect(source!.sharedBits(-1)).rejects.toThrow('whole numbers');
    // A refusal takes nothing.
    expect((await source!.triples(3)).a.words.length).toBe(3);
  });

  it('are none for none', async () => {
    const [source] = await filled(2, none);
    expect((await source!.bitTriples(0)).a).toEqual(new Uint32Array(0));
    expect((await source!.triples(0)).a.words).toEqual(new BigUint64Array(0));
    expect((await source!.sharedBits(0)).ring.words).toEqual(new BigUint64Array(0));
  });

  it('may fail before anyone waits for them', async () => {
    const fail = () => Promise.reject(new Error('no source'));
    const failed = prefetch({ bitTriples: fail, triples: fail, sharedBits: fail }, { ...none, triples: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    await expect(failed).rejects.toThrow('no source');
  });
});

describe('turns', () => {
  it('end with the first that fails', async () => {
    const inTurn = turns();
    const ran: number[] = [];
    const calls = [1, 2, 3].map((i) =>
      inTurn(async () => {
        ran.push(i);
        if (i === 2) throw new Error('two');
      }),
    );
    const results = await Promise.allSettled(calls);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(ran).toEqual([1, 2]);
  });
});

describe('a dealer ahead of the computation', () => {
  const dealer = 'dealer';
  const demands: Demand[] = [
    { bitTriples: 3200, triples: 100, sharedBits: 70 },
    { bitTriples: 0, triples: 5, sharedBits: 0 },
    // Two requests of one kind, one of the others.
    { bitTriples: 96, triples: pieceMax.triples + 1, sharedBits: 5 },
  ];
  for (const participants of [2, 3, 4]) {
    it(`costs what is stated, all kinds at once, for ${participants}`, async () => {
      for (const demand of participants === 2 ? demands : demands.slice(0, 2)) {
        const run = await lockstep([...partyNames(participants), dealer], async (ch: Channel) => {
          if (ch.self === dealer) return deal(ch, demand) as Promise<undefined>;
          const source = dealerCorrelations(ch, dealer);
          const made = await prefetch(source, demand);
          await source.close();
          return made;
        });
        const { rounds, bytes } = dealerPreprocessing(demand);
        expect(run.rounds).toBe(rounds);
        expect(Object.values(run.bytes).reduce((sum, each) => sum + each)).toBe(bytes);
        const sources = run.values.filter((each) => each !== undefined);
        expect(sources.length).toBe(participants);
        // The last hundred reach into the second request where there is one.
        const checked = Math.min(100, demand.triples);
        for (const source of sources) await source.triples(demand.triples - checked);
        expectTriples(await Promise.all(sources.map((s) => s.triples(checked))), checked);
        expectBitTriples(await Promise.all(sources.map((s) => s.bitTriples(demand.bitTriples))), demand.bitTriples);
        expectSharedBits(await Promise.all(sources.map((s) => s.sharedBits(demand.sharedBits))), demand.sharedBits);
      }
    });
  }

  it('takes two rounds for each piece of the kind that has most', () => {
    const demand = { bitTriples: 2 * pieceMax.bitTriples, triples: 1, sharedBits: 3 * pieceMax.sharedBits + 1 };
    expect(dealerPreprocessing(demand).rounds).toBe(2 * 4 + 1);
    expect(dealerPreprocessing(none)).toEqual({ rounds: 0, bytes: 0 });
  });

  it('deals no more than the demand', async () => {
    const [, b, d] = channels(['a', 'b', dealer]);
    const dealt = deal(d!, { ...none, triples: 4 });
    void dealerCorrelations(b!, dealer).triples(5);
    await expect(dealt).rejects.toThrow(expect.objectContaining({ code: 'BAD_MESSAGE', party: 'b' }));
  });
});
