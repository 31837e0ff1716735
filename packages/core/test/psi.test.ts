import { describe, expect, it } from 'vitest';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { type Faults, simulate } from '../src/channel/simulate.ts';
import { idealReceiver, idealSender } from '../src/protocols/ideal-pair.ts';
import { maskBytes, maskTable } from '../src/protocols/masks.ts';
import { okvsSize } from '../src/protocols/okvs.ts';
import { OtReceiver, OtSender } from '../src/protocols/ot-extension.ts';
import type { ReceiverSource, SenderSource } from '../src/protocols/pair-source.ts';
import { psiCost, psiVoles, recvPsi, sendPsi } from '../src/protocols/psi.ts';
import { shuffled } from '../src/protocols/shuffle.ts';
import { openVoleReceiver, openVoleSender } from '../src/protocols/vole.ts';
import { chiSquareUpper } from '../src/query/measure/distribution.ts';
import { refusalOf } from './refusal.ts';
import { expectIntersection, overlapping } from './set-relations.ts';

interface Run {
  readonly seed?: number;
  readonly faults?: Faults;
  readonly source?: number;
  /** The sender's. */
  readonly chance?: Rng;
}

/** A session of both over an ideal source, with what the receiver saw of the sender's masks. */
async function run(
  receiver: Uint8Array,
  sender: Uint8Array,
  { seed = 1, faults, source = 1, chance = seededRng(2 * seed) }: Run = {},
) {
  const [n1, n2] = [receiver.length / 16, sender.length / 16];
  const taken: unknown[] = [];
  const masks: Uint8Array[] = [];
  const simulation = await simulate(
    { parties: ['a', 'b'], seed, ...(faults && { faults }) },
    async (ch: Channel): Promise<Uint8Array | undefined> => {
      if (ch.self === 'a') {
        const own = idealSender(ch, 'b', source);
        await sendPsi(watched(ch, masks), 'b', own, sender, n1, chance);
        taken.push(own.taken);
        return undefined;
      }
      const own = idealReceiver(ch, 'a', source);
      const found = await recvPsi(ch, 'a', own, receiver, n2, seededRng(2 * seed + 1));
      taken.push(own.taken);
      return found;
    },
  );
  return { ...simulation, taken, masks: Buffer.concat(masks), found: foundBy(simulation.outcomes.get('b')) };
}

function foundBy(outcome: unknown): Uint8Array | undefined {
  return (outcome as { value?: Uint8Array }).value;
}

/** Keeps what is sent as masks. */
function watched(ch: Channel, masks: Uint8Array[]): Channel {
  return {
    self: ch.self,
    peers: ch.peers,
    context: ch.context,
    recv: (from, label, bytesMax) => ch.recv(from, label, bytesMax),
    fork: (label) => ch.fork(label),
    deriveKey: (owner, holder, label) => ch.deriveKey(owner, holder, label),
    send(to, label, bytes) {
      if (label === 'psi/masks') masks.push(bytes.slice());
      return ch.send(to, label, bytes);
    },
  };
}

describe('private set intersection', () => {
  it('finds what both have, for overlaps of none, one, half and all, and for sizes 1:1, 1:16 and 16:1', async () => {
    for (const [n1, n2, common] of [
      [1, 1, 0],
      [1, 1, 1],
      [512, 512, 0],
      [512, 512, 1],
      [512, 512, 256],
      [512, 512, 512],
      [512, 8192, 512],
      [512, 8192, 0],
      [8192, 512, 300],
      [8192, 512, 1],
    ] as const) {
      const { receiver, sender } = overlapping(n1, n2, common);
      const { found } = await run(receiver, sender);
      expectIntersection(found!, receiver, sender, common);
    }
  });

  it('costs what is stated, and takes what is stated of its source', async () => {
    for (const [n1, n2] of [
      [1, 1],
      [512, 8192],
      [8192, 70_000],
    ] as const) {
      const sizes = { receiver: n1, sender: n2 };
      const { receiver, sender } = overlapping(n1, n2, 1);
      const { bytes, rounds, taken } = await run(receiver, sender);
      expect({ rounds, bytes: bytes.a! + bytes.b! }).toEqual(psiCost(sizes));
      const voles = psiVoles(sizes);
      const demand = { bitTriples: 0, sharedBits: 0, otsFromSender: 0, otsFromReceiver: 0, voles };
      expect(taken).toEqual([demand, demand]);
      expect(voles).toBe(okvsSize(n1));
    }
  });

  it('cuts masks to 40 bits beyond what the pairs of elements have, and of the sender’s own', () => {
    const sizes = [
      [1, 1, 5],
      [512, 512, 8],
      [2 ** 16, 2 ** 16, 9],
      [2 ** 20, 2 ** 20, 10],
      [2 ** 22, 2 ** 22, 11],
      [2 ** 12, 2 ** 20, 10],
      [2 ** 20, 2 ** 12, 9],
      [512, 2 ** 22, 11],
    ] as const;
    for (const [n1, n2, bytes] of sizes) {
      expect(maskBytes(n1, n2)).toBe(bytes);
      expect(8 * bytes).toBeGreaterThanOrEqual(40 + Math.log2(n1) + Math.log2(n2));
      expect(8 * bytes).toBeGreaterThanOrEqual(40 + 2 * Math.log2(n2) - 1);
    }
  });

  it('gives the same over silent evaluations of a real session', async () => {
    const { receiver, sender } = overlapping(2000, 3000, 700);
    const { outcomes } = await simulate({ parties: ['a', 'b'], seed: 3 }, async (ch: Channel) => {
      const rng = seededRng(ch.self === 'a' ? 1 : 2);
      if (ch.self === 'a') {
        const vole = openVoleSender(await OtSender.open(ch, 'b', rng));
        await sendPsi(ch.fork('psi'), 'b', { vole } as SenderSource, sender, 2000, rng);
        return undefined;
      }
      const vole = openVoleReceiver(await OtReceiver.open(ch, 'a', rng));
      return recvPsi(ch.fork('psi'), 'a', { vole } as ReceiverSource, receiver, 3000, rng);
    });
    expectIntersection(foundBy(outcomes.get('b'))!, receiver, sender, 700);
  });

  it('sends masks in an order that says nothing of the sender’s own', async () => {
    // One function in all runs, as the coins of the seed are the same; the sender's later chance is the order alone.
    const { receiver, sender } = overlapping(8, 8, 8);
    const size = maskBytes(8, 8);
    const known = new Map<string, number>();
    const counts = Array.from({ length: 8 }, () => new Array<number>(8).fill(0));
    const runs = 240;
    for (let seed = 0; seed < runs; seed++) {
      const coins = seededRng(1);
      const later = seededRng(seed);
      let calls = 0;
      const { masks } = await run(receiver, sender, { chance: (length) => (calls++ < 2 ? coins : later)(length) });
      for (let place = 0; place < 8; place++) {
        const mask = masks.toString('hex', place * size, (place + 1) * size);
        if (!known.has(mask)) known.set(mask, known.size);
        counts[known.get(mask)!]![place]!++;
      }
    }
    expect(known.size).toBe(8);
    const statistic = counts.flat().reduce((sum, count) => sum + (count - runs / 8) ** 2 / (runs / 8), 0);
    expect(chiSquareUpper(statistic, 49)).toBeGreaterThan(1e-6);
  });

  it('sends masks that look random, whatever the sender has, and that differ in every session', async () => {
    const { receiver } = overlapping(512, 512, 0);
    const seen = new Set<string>();
    for (const [source, sender] of [receiver, overlapping(512, 512, 0).sender].entries()) {
      const { masks } = await run(receiver, sender, { source });
      const size = maskBytes(512, 512);
      expect(masks.length).toBe(512 * size);
      const counts = new Float64Array(16);
      for (const byte of masks) for (const nibble of [byte & 15, byte >> 4]) counts[nibble]! += 1;
      const mean = (2 * masks.length) / 16;
      const statistic = counts.reduce((sum, count) => sum + (count - mean) ** 2 / mean, 0);
      expect(chiSquareUpper(statistic, 15)).toBeGreaterThan(1e-6);
      for (let i = 0; i < 512; i++) seen.add(masks.toString('hex', i * size, (i + 1) * size));
    }
    expect(seen.size).toBe(1024);
  });

  it('refuses masks that repeat or have another length, naming the sender', async () => {
    const { receiver } = overlapping(512, 512, 0);
    const size = maskBytes(512, 512);
    const distinct = () => seededRng(4)(512 * size).slice();
    for (const [masks, refusal] of [
      [distinct().copyWithin(size * 511, 0, size), 'BAD_MESSAGE'],
      [distinct().subarray(1), 'BAD_MESSAGE'],
      [new Uint8Array(512 * size + 1), 'TOO_LARGE'],
      [distinct(), undefined],
    ] as const) {
      const { outcomes } = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch: Channel) => {
        if (ch.self === 'b') return recvPsi(ch, 'a', idealReceiver(ch, 'a', 1), receiver, 512, seededRng(1));
        const forged: Channel = {
          ...watched(ch, []),
          send: (to, label, bytes) => ch.send(to, label, label === 'psi/masks' ? masks.slice() : bytes),
        };
        return sendPsi(forged, 'b', idealSender(ch, 'b', 1), receiver, 512, seededRng(2));
      });
      const outcome = outcomes.get('b')!;
      if (refusal === undefined) expect(foundBy(outcome)!.every((each) => each === 0)).toBe(true);
      else expect(outcome).toMatchObject({ error: { code: refusal, party: 'a' } });
    }
  });

  it('ends with an error, or well, wherever a party stops', async () => {
    const { receiver, sender } = overlapping(16, 16, 5);
    let failed = 0;
    for (const party of ['a', 'b']) {
      for (let atStep = 1; atStep <= 7; atStep++) {
        const { outcomes } = await run(receiver, sender, { seed: atStep, faults: { crash: { party, atStep } } });
        const other = outcomes.get(party === 'a' ? 'b' : 'a')!;
        if ('error' in other) failed += 1;
        else if (other.value !== undefined) expectIntersection(other.value, receiver, sender, 5);
      }
    }
    expect(failed).toBeGreaterThan(4);
  });

  it('takes sets of one element and more, up to its limit', async () => {
    const { receiver, sender } = overlapping(1, 1, 0);
    for (const [mine, peerCount] of [
      [new Uint8Array(0), 1],
      [receiver.subarray(1), 1],
      [receiver, 0],
      [receiver, 2 ** 22 + 1],
    ] as const) {
      const outcome = simulate({ parties: ['a', 'b'], seed: 1 }, async (ch: Channel) => {
        if (ch.self === 'a') await sendPsi(ch, 'b', idealSender(ch, 'b', 1), mine, peerCount, seededRng(1));
        else await recvPsi(ch, 'a', idealReceiver(ch, 'a', 1), mine, peerCount, seededRng(1));
      });
      for (const each of (await outcome).outcomes.values()) {
        expect(String((each as { error: unknown }).error)).toContain('assertion failed');
      }
    }
    expect(foundBy((await run(receiver, sender)).outcomes.get('b'))).toEqual(new Uint8Array(1));
  });
});

describe('an order of chance', () => {
  it('has each thing once, and every place alike', () => {
    const rng = seededRng(1);
    const counts = Array.from({ length: 6 }, () => new Array<number>(6).fill(0));
    for (let i = 0; i < 6000; i++) {
      const order = shuffled(6, rng);
      expect([...order].sort()).toEqual([0, 1, 2, 3, 4, 5]);
      for (const [place, thing] of order.entries()) counts[thing]![place]!++;
    }
    const statistic = counts.flat().reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquareUpper(statistic, 25)).toBeGreaterThan(1e-6);
    for (const n of [0, 1, 2, 5000]) expect(new Set(shuffled(n, rng)).size).toBe(n);
  });

  it('reaches every order of four as often as another', () => {
    const rng = seededRng(2);
    const counts = new Map<string, number>();
    for (let i = 0; i < 4800; i++) {
      const order = shuffled(4, rng).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    const statistic = [...counts.values()].reduce((sum, count) => sum + (count - 200) ** 2 / 200, 0);
    expect(chiSquareUpper(statistic, 23)).toBeGreaterThan(1e-6);
  });
});

describe('a table of masks', () => {
  it('finds a mask of each length by all of its bytes', () => {
    for (const bytes of [4, 5, 7, 8, 9, 11, 12]) {
      const rows = seededRng(bytes)(16 * 100).slice();
      const all = new Uint8Array(bytes * 50);
      for (let i = 0; i < 50; i++) all.set(rows.subarray(16 * i, 16 * i + bytes), bytes * i);
      const table = maskTable('a', { bytes, all }, seededRng(1));
      const found = [...table.has(rows)];
      expect(found).toEqual(Array.from({ length: 100 }, (_, i) => (i < 50 ? 1 : 0)));
      // One bit off, anywhere, is another mask.
      for (let at = 0; at < bytes; at++) {
        const changed = rows.slice(0, 16);
        changed[at]! ^= 0x10;
        expect(table.has(changed)[0]).toBe(0);
      }
      all.copyWithin(bytes * 49, bytes * 7, bytes * 8);
      const refusal = refusalOf(() => maskTable('a', { bytes, all }, seededRng(1)));
      expect(refusal).toMatchObject({ code: 'BAD_MESSAGE', party: 'a' });
    }
  });

  it('refuses masks that make long chains, which chance does not', () => {
    // Two words that differ in their highest bits alone: their chains are few.
    const all = new Uint8Array(12 * 2 ** 16);
    for (let i = 0; i < 2 ** 16; i++) all.set([i & 255, 0, 0, 0, i >> 8], 12 * i + 3);
    const refusal = refusalOf(() => maskTable('a', { bytes: 12, all }, seededRng(4)));
    expect(refusal).toMatchObject({ code: 'BAD_MESSAGE', party: 'a' });
    const random = seededRng(5)(12 * 2 ** 16);
    expect(() => maskTable('a', { bytes: 12, all: random }, seededRng(4))).not.toThrow();
  });
});
