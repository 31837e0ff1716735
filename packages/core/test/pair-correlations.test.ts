import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { table128 } from '../src/kernels/kernels.ts';
import { plainKernels } from '../src/kernels/plain.ts';
import { dealPair, dealtReceiver, dealtSender } from '../src/protocols/dealt-pair.ts';
import { idealReceiver, idealSender } from '../src/protocols/ideal-pair.ts';
import type { PairDemand, PairSource, ReceiverSource, SenderSource } from '../src/protocols/pair-source.ts';
import { type Lockstep, lockstep } from './lockstep.ts';
import { bit, expectBitTriples, expectSharedBits } from './relations.ts';

interface Source {
  readonly name: string;
  run<T>(
    demand: PairDemand,
    f: (source: ReceiverSource | SenderSource) => Promise<T>,
  ): Promise<Lockstep<T | undefined>>;
}

const [receiver, sender, dealer] = ['a', 'b', 'dealer'];

const ideal: Source = {
  name: 'ideal',
  run: (_, f) =>
    lockstep([receiver!, sender!], (ch: Channel) =>
      f(ch.self === receiver ? idealReceiver(ch, sender!, 1) : idealSender(ch, receiver!, 1)),
    ),
};

const dealt: Source = {
  name: 'dealt',
  run: (wanted, f) =>
    lockstep([receiver!, sender!, dealer!], async (ch: Channel) => {
      if (ch.self === dealer) return dealPair(ch, sender!, receiver!, wanted) as Promise<undefined>;
      const end = ch.self === receiver ? dealtReceiver : dealtSender;
      return f(await end(ch, ch.self === receiver ? sender! : receiver!, dealer!, wanted));
    }),
};

const sources = [ideal, dealt];

/** The calls that are made of each session: of a whole number of octets, and not. */
const calls = [1, 8, 131, 1000];
const octets = calls.reduce((sum, count) => sum + 8 * Math.ceil(count / 8), 0);
const demand: PairDemand = {
  bitTriples: 320,
  sharedBits: 77,
  otsFromSender: 2 * octets,
  otsFromReceiver: 2 * octets,
  voles: 300,
};

/** What one end has of all. */
async function takeAll(source: ReceiverSource | SenderSource) {
  const bits = [await source.bits.bitTriples(320), await source.bits.sharedBits(77)] as const;
  const ots = await Promise.all([sent(source), received(source)]);
  const voles = [];
  for (const count of [1, 99, 200]) voles.push(await source.vole.extend(count));
  return { source, bits, ots, voles };
}

async function sent({ sender: session }: PairSource) {
  const rows = [];
  for (const count of calls) rows.push(await session.extend(count), await session.extend(count, 'given'));
  return rows;
}

async function received({ receiver: session }: PairSource) {
  const rows = [];
  for (const count of calls) {
    rows.push(await session.extend(count), await session.extend(count, givenOf(count)));
  }
  return rows;
}

const givenOf = (count: number) => seededRng(count)(Math.ceil(count / 8));

for (const source of sources)
  describe(`what a pair computes with (${source.name})`, () => {
    it('fulfils its relations, take after take', async () => {
      const { values } = await source.run(demand, takeAll);
      const [a, b] = values as [Awaited<ReturnType<typeof takeAll>>, Awaited<ReturnType<typeof takeAll>>];
      expectBitTriples([a.bits[0], b.bits[0]], 320);
      expectSharedBits([a.bits[1], b.bits[1]], 77);
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const { delta } = from.source.sender;
        for (const [i, q] of from.ots[0].entries()) {
          const { rows, choices } = to.ots[1][i]!;
          const count = calls[i >> 1]!;
          if (i % 2 === 1) expect(choices).toEqual(givenOf(count));
          expect([q.length, rows.length, choices.length]).toEqual([16 * count, 16 * count, Math.ceil(count / 8)]);
          const expected = q.slice();
          for (let j = 0; j < q.length; j++) expected[j]! ^= bit(choices, j >> 4) * delta[j % 16]!;
          expect(rows).toEqual(expected);
        }
      }
      const { delta } = (b.source as SenderSource).vole;
      for (const [i, rows] of b.voles.entries()) {
        const { a: factors, c } = a.voles[i] as { a: Uint8Array; c: Uint8Array };
        const product = factors.slice();
        plainKernels.multiply128(product, table128(delta));
        plainKernels.xorInto(product, rows as Uint8Array);
        expect(c).toEqual(product);
      }
      // Each row once, and none that repeats.
      const rows = [a, b].flatMap(({ ots }) => ots[0]).concat(b.voles as Uint8Array[]);
      const hex = rows.flatMap((each) => Buffer.from(each).toString('hex').match(/.{32}/g)!);
      expect(new Set(hex).size).toBe(hex.length);
    });
  });

it('counts what is taken of the ideal source', async () => {
  const { values } = await ideal.run(demand, takeAll);
  for (const value of values) expect((value!.source as unknown as { taken: PairDemand }).taken).toEqual(demand);
});
