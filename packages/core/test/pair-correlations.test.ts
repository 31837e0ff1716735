import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import { kernels, table128 } from '../src/kernels/kernels.ts';
import { plainKernels } from '../src/kernels/plain.ts';
import type { Preprocessing } from '../src/protocols/cost.ts';
import { dealPair } from '../src/protocols/dealt-pair.ts';
import { idealReceiver, idealSender, type Taken } from '../src/protocols/ideal-pair.ts';
import { baseBlocks, type LaneTask, runLane } from '../src/protocols/lanes.ts';
import { recvRandom, sendRandom } from '../src/protocols/oblivious-transfer.ts';
import {
  type PairTerms,
  pairCorrelations,
  pairCost,
  recvVoles,
  sendVoles,
  volesCost,
} from '../src/protocols/pair-correlations.ts';
import type { PairDemand, PairSource, ReceiverSource, SenderSource } from '../src/protocols/pair-source.ts';
import { channels } from './channels.ts';
import { type Lockstep, lockstep } from './lockstep.ts';
import { bit, expectBitTriples, expectOt, expectSharedBits, idealBaseOts } from './relations.ts';

type End = ReceiverSource | SenderSource;

interface Source {
  readonly name: string;
  run<T>(demand: PairDemand, f: (source: End, ch: Channel) => Promise<T>): Promise<Lockstep<T | undefined>>;
  /** Of what is made ahead. */
  cost(demand: PairDemand): Preprocessing;
}

const [receiver, sender, dealer] = ['a', 'b', 'dealer'] as const;

const ideal: Source = {
  name: 'ideal',
  run: (_, f) =>
    lockstep([receiver, sender], (ch: Channel) =>
      f(ch.self === receiver ? idealReceiver(ch, sender, 1) : idealSender(ch, receiver, 1), ch),
    ),
  cost: () => ({ rounds: 0, bytes: 0 }),
};

/** The whole of what a party does in a session of the two, or with a helper. */
async function endOf(ch: Channel, wanted: PairDemand, helper: string | null, more: Partial<PairTerms> = {}) {
  if (ch.self === helper) return void (await dealPair(ch, sender, receiver, wanted));
  const terms: PairTerms = { helper, demand: wanted, rng: seededRng(ch.self === receiver ? 1 : 2), ...more };
  return ch.self === receiver
    ? pairCorrelations(ch, sender, 'receiver', terms)
    : pairCorrelations(ch, receiver, 'sender', terms);
}

const dealt: Source = {
  name: 'dealt',
  run: (wanted, f) =>
    lockstep([receiver, sender, dealer], async (ch: Channel) => {
      const source = await endOf(ch, wanted, dealer);
      return source && f(source, ch);
    }),
  cost: (wanted) => pairCost(wanted, { helper: dealer }),
};

const options = { base: idealBaseOts };

const ots: Source = {
  name: 'by oblivious transfer',
  run: (wanted, f) =>
    lockstep([receiver, sender], async (ch: Channel) => f((await endOf(ch, wanted, null, { options }))!, ch)),
  cost(wanted) {
    const { rounds, bytes } = pairCost(wanted, { helper: null, options });
    // Ideal base OTs have no message.
    return { rounds: rounds - 1, bytes: bytes - 2 * 4128 };
  },
};

const sources = [ideal, dealt, ots];

const total = (bytes: Readonly<Record<string, number>>) => Object.values(bytes).reduce((sum, each) => sum + each, 0);

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
async function takeAll(source: End) {
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

const none: PairDemand = { bitTriples: 0, sharedBits: 0, otsFromSender: 0, otsFromReceiver: 0, voles: 0 };

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

    it('costs what is stated, and what is taken of it a change of choices', async () => {
      for (const wanted of [none, { ...none, voles: 1 }, { ...none, otsFromReceiver: 8 }, demand]) {
        const ahead = await source.run(wanted, async () => {});
        expect({ rounds: ahead.rounds, bytes: total(ahead.bytes) }).toEqual(source.cost(wanted));
      }
      const used = await source.run(demand, takeAll);
      const changes = 2 * calls.reduce((sum, count) => sum + Math.ceil(count / 8), 0);
      expect(total(used.bytes)).toBe(source.cost(demand).bytes + changes);
    });

    it('gives each of a call that was made at once what belongs together', async () => {
      const { values } = await source.run(demand, async ({ sender, receiver }) =>
        Promise.all([sendRandom(sender, 100), recvRandom(receiver, 100)]),
      );
      const [a, b] = values as [(typeof values)[0] & {}, (typeof values)[0] & {}];
      expectOt({ ...a[0], ...b[1] }, 100);
      expectOt({ ...b[0], ...a[1] }, 100);
    });
  });

it('counts what is taken of the ideal source', async () => {
  const { values } = await ideal.run(demand, takeAll);
  for (const value of values) expect((value!.source as End & Taken).taken).toEqual(demand);
});

describe('a pair by oblivious transfer', () => {
  it('rests on one set of base OTs', async () => {
    const { rounds, bytes, values } = await lockstep([receiver, sender], (ch) => endOf(ch, demand, null));
    expect({ rounds, bytes: total(bytes) }).toEqual(pairCost(demand, { helper: null }));
    const [a, b] = values;
    expect((b as SenderSource).vole.delta).toEqual(b!.sender.delta);
    expect(a!.sender.delta).not.toEqual(b!.sender.delta);
  });

  it('goes on over batches of evaluations and of transfers', async () => {
    const many = { ...none, voles: 102_001, otsFromSender: 88_352 + 8 };
    const { rounds, bytes, values } = await ots.run(many, async (source, ch) => {
      const { vole, sender: to, receiver: from } = source;
      const rows = ch.self === receiver ? await from.extend(88_360) : await to.extend(88_360);
      return { vole: await vole.extend(102_001), rows };
    });
    expect({ rounds, bytes: total(bytes) }).toEqual(ots.cost(many));
    const [held, made] = values.map((value) => value!.vole) as [{ a: Uint8Array; c: Uint8Array }, Uint8Array];
    expect([held.a.length, held.c.length, made.length]).toEqual([0, 1, 2].map(() => 16 * 102_001));
  });

  it('runs its lanes where the caller places them, from plain data', async () => {
    const places: string[] = [];
    const { values } = await lockstep([receiver, sender], (ch) => {
      const lanes = {
        async run(lane: Channel, task: LaneTask) {
          places.push(ch.self);
          expect(task.demand).toEqual({ bitTriples: 320, triples: 0, sharedBits: 77 });
          return runLane(lane, structuredClone(task), seededRng(places.length));
        },
      };
      return endOf(ch, demand, null, { options, lanes });
    });
    expect(places.sort()).toEqual([receiver, sender]);
    expectBitTriples(await Promise.all(values.map((each) => each!.bits.bitTriples(320))), 320);
  });

  it('has base keys of its own in each block, and one Δ', async () => {
    const { values } = await lockstep([receiver, sender], (ch) => baseBlocks(ch, 'pair', 3, seededRng(1), options));
    const blocks = values.flat(2);
    const keys = blocks.flatMap(({ sent }) => Buffer.from(sent).toString('hex').match(/.{32}/g)!);
    expect(new Set(keys).size).toBe(2 * 3 * 256);
    const [a, b] = values.map((each) => each.map(([keys]) => keys!));
    for (const [i, { delta, chosen }] of a!.entries()) {
      expect(delta).toEqual(a![0]!.delta);
      for (let j = 0; j < 128; j++) {
        const side = 1 - bit(delta, j);
        const key = b![i]!.sent.subarray(16 * (2 * j + side), 16 * (2 * j + side + 1));
        expect(chosen.subarray(16 * j, 16 * (j + 1))).toEqual(key);
      }
    }
  });

  it('hands out no more evaluations than were made', async () => {
    const { values } = await ots.run({ ...none, voles: 5 }, async (source) => source);
    for (const source of values) await expect(source!.vole.extend(6)).rejects.toThrow('no more');
  });

  it('is of two parties alone', async () => {
    const [ch] = channels([receiver, sender, dealer]);
    await expect(endOf(ch!, demand, null)).rejects.toThrow('two parties');
    const [own] = channels([receiver, sender]);
    await expect(endOf(own!, demand, dealer)).rejects.toThrow('dealer');
  });

  it('fails with whoever awaits it, and at both ends, wherever a party stops', async () => {
    let refused = 0;
    for (const atStep of [1, 2, 3, 4, 6]) {
      const { outcomes } = await simulate(
        { parties: [receiver, sender], seed: atStep, faults: { crash: { party: sender, atStep } } },
        (ch) => endOf(ch, { ...demand, voles: 0 }, null, { options }),
      );
      for (const outcome of outcomes.values()) {
        if (!('error' in outcome)) continue;
        expect(outcome.error).toMatchObject({ layer: 'protocol' });
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(4);
  });
});

it('makes evaluations alone from base OTs one way, at the cost stated', async () => {
  const count = 300;
  const { values, rounds, bytes } = await lockstep([receiver, sender], async (ch: Channel) => {
    if (ch.self === sender) {
      const vole = await sendVoles(ch, receiver, count, seededRng(1), options);
      return { delta: vole.delta, b: await vole.extend(count) };
    }
    return (await recvVoles(ch, sender, count, seededRng(2), options)).extend(count);
  });
  const held = values.find((value) => 'a' in value) as { a: Uint8Array; c: Uint8Array };
  const sent = values.find((value) => 'b' in value) as { delta: Uint8Array; b: Uint8Array };
  const expected = held.a.slice();
  kernels().multiply128(expected, table128(sent.delta));
  kernels().xorInto(expected, sent.b);
  expect(held.c).toEqual(expected);
  // Ideal base OTs have no message.
  const cost = volesCost(count, options);
  expect({ rounds, bytes: total(bytes) }).toEqual({ rounds: cost.rounds - 1, bytes: cost.bytes - 4128 });
});
