import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel, PartyId } from '../src/channel/channel.ts';
import { type Faults, type Simulation, simulate } from '../src/channel/simulate.ts';
import type { Correlations } from '../src/protocols/correlations.ts';
import { pieceMax, productsMax } from '../src/protocols/cost.ts';
import { deal, dealerCorrelations, withoutDealer } from '../src/protocols/dealer-correlations.ts';
import { idealCorrelations } from '../src/protocols/ideal-correlations.ts';
import { otCorrelations } from '../src/protocols/ot-correlations.ts';
import type { Extension } from '../src/protocols/ot-extension.ts';
import { columnBytes } from '../src/protocols/softspoken-ot.ts';
import type { BitTriples, SharedBits, Triples } from '../src/sharing/beaver-triple.ts';
import { channels, partyNames } from './channels.ts';
import { expectBitTriples, expectSharedBits, expectTriples, idealBaseOts } from './relations.ts';

interface Source {
  readonly name: string;
  /** What each of so many participants returns, and what the session cost. */
  run<T>(
    parties: number,
    seed: number,
    f: (source: Correlations, ch: Channel) => Promise<T>,
    faults?: Faults,
  ): Promise<Simulation<T | undefined>>;
}

const dealer = 'dealer';

const idealSource: Source = {
  name: 'ideal',
  run: (parties, seed, f) =>
    simulate({ parties: partyNames(parties), seed }, (ch) => f(idealCorrelations(ch, seed), ch)),
};

const dealerSource: Source = {
  name: 'dealer',
  run: (parties, seed, f, faults = {}) =>
    simulate({ parties: [...partyNames(parties), dealer], seed, faults }, async (ch) => {
      if (ch.self === dealer) return deal(ch) as Promise<undefined>;
      const source = dealerCorrelations(ch, dealer);
      const value = await f(source, withoutDealer(ch, dealer));
      await source.close();
      return value;
    }),
};

const softspoken = otSource('softspoken');
const silent = otSource('silent');
const sources = [idealSource, softspoken, silent, dealerSource];

function otSource(extension: Extension): Source {
  return {
    name: `ot (${extension})`,
    run: (parties, seed, f, faults = {}) =>
      simulate({ parties: partyNames(parties), seed, faults }, async (ch) => f(await overOt(ch, seed, extension), ch)),
  };
}

function overOt(ch: Channel, seed: number, extension: Extension): Promise<Correlations> {
  const rng = seededRng(100 * seed + ch.context.roster.indexOf(ch.self));
  return otCorrelations(ch, rng, { extension, base: idealBaseOts });
}

/** The results of those who have one, or the first error. */
function valuesOf<T>({ outcomes }: Simulation<T | undefined>): T[] {
  return [...outcomes.values()].flatMap((outcome) => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value === undefined ? [] : [outcome.value];
  });
}

interface Hand {
  readonly bitTriples: BitTriples[];
  readonly triples: Triples[];
  readonly sharedBits: SharedBits[];
}

const counts = [1, 31, 32, 33, 300];

async function takeAll(source: Correlations): Promise<Hand> {
  const hand: Hand = { bitTriples: [], triples: [], sharedBits: [] };
  for (const count of counts) {
    hand.bitTriples.push(await source.bitTriples(count));
    hand.triples.push(await source.triples(count));
    hand.sharedBits.push(await source.sharedBits(count));
  }
  return hand;
}

for (const source of sources) {
  describe(`correlations of the ${source.name} source`, () => {
    for (const parties of [2, 3, 4]) {
      it(`fulfil their relations among ${parties}, take after take`, async () => {
        const hands = valuesOf(await source.run(parties, parties, takeAll));
        expect(hands.length).toBe(parties);
        for (const [i, count] of counts.entries()) {
          expectBitTriples(
            hands.map(({ bitTriples }) => bitTriples[i]!),
            count,
          );
          expectTriples(
            hands.map(({ triples }) => triples[i]!),
            count,
          );
          expectSharedBits(
            hands.map(({ sharedBits }) => sharedBits[i]!),
            count,
          );
        }
      });
    }

    it('are other ones in each take', async () => {
      const [hand] = valuesOf(await source.run(2, 9, async (s) => [await s.triples(5), await s.triples(5)]));
      expect(new Set(hand!.flatMap(({ a, b, c }) => [...a.words, ...b.words, ...c.words])).size).toBe(30);
    });

    it('are none for none', async () => {
      const [hand] = valuesOf(
        await source.run(
          2,
          9,
          async (s) => [await s.bitTriples(0), await s.triples(0), await s.sharedBits(0)] as const,
        ),
      );
      expect(hand![0].a.length + hand![1].a.words.length + hand![2].ring.words.length).toBe(0);
    });
  });
}

describe('the OT source', () => {
  it('takes the rounds and bytes that it states, by trees of four bits', async () => {
    const count = 100;
    const e = (ots: number) => 32 * columnBytes(ots);
    // The trees of each session with a peer, in one round over base OTs that cost nothing here.
    const opened = (parties: number) => (parties - 1) * 3 * 1024;
    for (const parties of [2, 3]) {
      const run = (kind: keyof Correlations) => softspoken.run<unknown>(parties, 1, (source) => source[kind](count));
      const bits = await run('bitTriples');
      // Between two, random OTs are bit triples; the first column of their extension is nobody's choice.
      const both = parties === 2 ? 31 * columnBytes(128) : (parties - 1) * (e(128) + 4 * 4);
      expect(Object.values(bits.bytes)).toEqual(Array(parties).fill(opened(parties) + both));
      const products = await run('triples');
      const each = (parties - 1) * (e(64 * 128) + 260 * 128);
      expect(Object.values(products.bytes)).toEqual(Array(parties).fill(opened(parties) + each));
      const shared = await run('sharedBits');
      const sent = Array.from({ length: parties }, (_, i) => i * e(count) + (parties - 1 - i) * 8 * count);
      expect(Object.values(shared.bytes)).toEqual(sent.map((bytes) => opened(parties) + bytes));
      // Of three, a party may answer one peer after it has heard from another, which counts as a longer chain.
      if (parties === 2) expect([bits, products, shared].map(({ rounds }) => rounds)).toEqual([1 + 1, 1 + 2, 1 + 2]);
    }
  });

  it('takes the rounds and bytes that it states, silently', async () => {
    const count = 100;
    const e = (ots: number) => Math.ceil(ots / 8);
    // The trees of each session with a peer, and the 14 blocks of its first batch's seeds.
    const opened = (parties: number) => (parties - 1) * (3 * 1024 + 31 * 16 * 14);
    const batch = 25_344;
    for (const parties of [2, 3]) {
      const run = (kind: keyof Correlations) => silent.run<unknown>(parties, 1, (source) => source[kind](count));
      const bits = await run('bitTriples');
      const both = parties === 2 ? batch : (parties - 1) * (batch + e(128) + 4 * 4);
      expect(Object.values(bits.bytes)).toEqual(Array(parties).fill(opened(parties) + both));
      const products = await run('triples');
      const each = (parties - 1) * (batch + e(64 * 128) + 260 * 128);
      expect(Object.values(products.bytes)).toEqual(Array(parties).fill(opened(parties) + each));
      const shared = await run('sharedBits');
      const sent = Array.from({ length: parties }, (_, i) => i * e(count) + (parties - 1 - i) * (batch + 8 * count));
      expect(Object.values(shared.bytes)).toEqual(sent.map((bytes) => opened(parties) + bytes));
      if (parties === 2) expect([bits, products, shared].map(({ rounds }) => rounds)).toEqual([2, 2 + 2, 2 + 2]);
    }
  });

  it('opens over real base OTs, and takes calls that were made at once', async () => {
    const all = channels(['a', 'b']);
    const both = await Promise.all(all.map((ch, i) => otCorrelations(ch, seededRng(i), { k: 2 })));
    const hands = await Promise.all(
      both.map((source) =>
        Promise.all([source.triples(3), source.bitTriples(40), source.sharedBits(7), source.triples(4)]),
      ),
    );
    expectTriples(
      hands.map(([triples]) => triples),
      3,
    );
    expectBitTriples(
      hands.map(([, bitTriples]) => bitTriples),
      40,
    );
    expectSharedBits(
      hands.map(([, , sharedBits]) => sharedBits),
      7,
    );
    expectTriples(
      hands.map(([, , , triples]) => triples),
      4,
    );
  });

  for (const extension of ['softspoken', 'silent'] as const) {
    it(`goes on over several exchanges in one take (${extension})`, async () => {
      const all = channels(['a', 'b']);
      const both = await Promise.all(all.map((ch) => overOt(ch, 1, extension)));
      expectTriples(await Promise.all(both.map((source) => source.triples(8192 + 40))), 8192 + 40);
      expectBitTriples(await Promise.all(both.map((source) => source.bitTriples(2 ** 20 + 33))), 2 ** 20 + 33);
    });

    it(`is right or ends in a typed error, whatever its links do (${extension})`, async () => {
      await expectSafe(extension === 'silent' ? silent : softspoken, 'party-00');
    });
  }
});

describe('the dealer', () => {
  it('takes the rounds and bytes that are stated, and hears from the last participant alone', async () => {
    const costs: [keyof Correlations, number][] = [
      ['bitTriples', 4 * 4],
      ['triples', 8 * 100],
      ['sharedBits', 8 * 100],
    ];
    for (const [kind, correction] of costs) {
      const { rounds, bytes } = await dealerSource.run<unknown>(3, 1, (source) => source[kind](100));
      // One more message for each kind lets the dealer go.
      expect(rounds).toBe(3);
      expect(bytes).toEqual({ 'party-00': 0, 'party-01': 0, 'party-02': 4 * 4, dealer: correction });
    }
  });

  it('is right or ends in a typed error, also where the dealer goes away', async () => {
    await expectSafe(dealerSource, dealer);
    const gone: Faults = { crash: { party: dealer, atStep: 2 } };
    const { outcomes } = await dealerSource.run(2, 1, (source) => source.triples(4), gone);
    expect(outcomes.get('party-01')).toMatchObject({ error: { layer: 'protocol' } });
  });

  it('refuses a request that is over its limit', async () => {
    for (const kind of ['bitTriples', 'triples', 'sharedBits'] as const) {
      const [, b, d] = channels(['a', 'b', dealer]);
      const dealt = deal(d!);
      const request = new Uint8Array(4);
      new DataView(request.buffer).setUint32(0, pieceMax[kind] + 1, true);
      await b!.fork('dealer').fork(kind).send(dealer, 'dealer/request', request);
      await expect(dealt).rejects.toThrow(expect.objectContaining({ code: 'BAD_MESSAGE', party: 'b' }));
    }
  });
});

it('refuses more in one take than the stated limit, whatever the source', async () => {
  for (const source of sources.slice(1)) {
    const run = await source.run(2, 1, (s) => s.triples(productsMax + 1));
    for (const party of partyNames(2)) expect(run.outcomes.get(party)).toMatchObject({ error: { code: 'OVER_LIMIT' } });
  }
});

async function expectSafe(source: Source, crashing: PartyId): Promise<void> {
  const faults: Faults[] = [
    { delay: 0.5 },
    { loss: 0.1 },
    { repeat: 0.1 },
    { corrupt: 0.1 },
    { cut: 0.1 },
    { reorder: 0.3 },
    ...[1, 2, 3, 4].map((atStep) => ({ crash: { party: crashing, atStep } })),
  ];
  let refused = 0;
  for (const [seed, fault] of faults.entries()) {
    const run = await source.run(2, seed, (s) => s.triples(20), fault);
    for (const outcome of run.outcomes.values()) {
      if (!('error' in outcome)) continue;
      expect(outcome.error).toMatchObject({ layer: 'protocol' });
      refused += 1;
    }
    const hands = partyNames(2).map((party) => run.outcomes.get(party)!);
    if (hands.every((hand) => 'value' in hand))
      expectTriples(
        hands.map((hand) => hand.value as Triples),
        20,
      );
  }
  expect(refused).toBeGreaterThan(0);
}
