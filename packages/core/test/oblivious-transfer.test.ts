import { describe, expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import {
  add,
  fromBytes,
  fromIntegers,
  toIntegers,
  type Vector,
  vector,
  Z2_64,
  Z2_128,
  Z2_192,
} from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import { productBytes, productCost, recvProducts, sendProducts } from '../src/protocols/gilboa.ts';
import {
  otElementsMax,
  otsPerCallMax,
  recvBits,
  recvCorrelated,
  recvCorrelatedBits,
  recvRandom,
  recvVectors,
  sendBits,
  sendCorrelated,
  sendCorrelatedBits,
  sendRandom,
  sendVectors,
} from '../src/protocols/oblivious-transfer.ts';
import { type OtOptions, OtReceiver, OtSender, otsMax, sessionBytes } from '../src/protocols/ot-extension.ts';
import { batchBytes, batchesFor } from '../src/protocols/silent-ot.ts';
import {
  extendReceiver,
  extendSender,
  extensionBytes,
  streamsOf,
  type TreeBits,
} from '../src/protocols/softspoken-ot.ts';
import { channels } from './channels.ts';
import { bit, expectOt, idealBaseOts, idealOt, type RandomOts } from './relations.ts';

const ideal = { base: idealBaseOts };
const sizes: readonly TreeBits[] = [1, 2, 4, 8];

/** One suite holds for each. */
interface Engine {
  readonly name: string;
  readonly options: OtOptions;
  /** What the receiver sends for so many choices of its own. */
  given(count: number): number;
  /** What the sender sends ahead, and the rounds that this takes. */
  ahead(calls: readonly number[]): number;
  readonly aheadRounds: number;
}

const softspoken: Engine = {
  name: 'softspoken',
  options: { extension: 'softspoken', k: 4 },
  given: (count) => extensionBytes(count, 4, 'given'),
  ahead: () => 0,
  aheadRounds: 0,
};

const silent: Engine = {
  name: 'silent',
  options: { extension: 'silent' },
  given: (count) => Math.ceil(count / 8),
  ahead: (calls) => batchBytes * batchesFor(calls),
  // What the batch begins with, and the batch.
  aheadRounds: 2,
};

const engines = [softspoken, silent];

interface Run<S, R> {
  readonly sent: S;
  readonly received: R;
  readonly rounds: number;
  readonly bytes: { readonly a: number; readonly b: number };
}

/** Both ends of a session over ideal base OTs, on the simulated network, and what a form costs on top of opening it. */
async function run<S, R>(
  options: OtOptions,
  seed: number,
  send: (session: OtSender) => Promise<S>,
  recv: (session: OtReceiver) => Promise<R>,
): Promise<Run<S, R>> {
  const program = async (ch: Channel): Promise<S | R> => {
    const rng = seededRng(seed + (ch.self === 'a' ? 0 : 1000));
    if (ch.self === 'a') return send(await OtSender.open(ch, 'b', rng, { ...options, ...ideal }));
    return recv(await OtReceiver.open(ch, 'a', rng, { ...options, ...ideal }));
  };
  const { outcomes, rounds, bytes } = await simulate({ parties: ['a', 'b'], seed }, program);
  const [sent, received] = ['a', 'b'].map((party) => {
    const outcome = outcomes.get(party)!;
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  });
  // What the receiver sends ahead of its first extension.
  const opening = sessionBytes([], options);
  return { sent: sent as S, received: received as R, rounds, bytes: { a: bytes.a!, b: bytes.b! - opening } };
}

const bitsOf = (rng: Rng, count: number) => {
  const bits = rng(Math.ceil(count / 8));
  if (count % 8 !== 0) bits[bits.length - 1]! &= 2 ** (count % 8) - 1;
  return bits;
};
const vectorOf = (rng: Rng, count: number): Vector => fromBytes(Z2_64, rng(8 * count).slice(), count);

describe('random OT', () => {
  it('is what a trusted party would hand out', () => {
    for (const count of [0, 1, 1000]) expectOt(idealOt(1, count), count);
  });

  for (const k of sizes) {
    it(`holds for trees of ${2 ** k} leaves, within a call and across calls, at the stated cost`, async () => {
      const counts = [1, 127, 128, 129, 1000];
      const { sent, received, rounds, bytes } = await run(
        { extension: 'softspoken', k },
        k,
        (session) => inTurn(counts, (count) => sendRandom(session, count)),
        (session) => inTurn(counts, (count) => recvRandom(session, count)),
      );
      const all = counts.map((_, i): RandomOts => ({ ...sent[i]!, ...received[i]! }));
      for (const [i, count] of counts.entries()) expectOt(all[i]!, count);
      // No stream is read twice.
      expect(new Set(all.map(({ zero }) => toHex(zero.subarray(0, 16)))).size).toBe(counts.length);
      expect(rounds).toBe(1);
      const correction = counts.reduce((sum, count) => sum + extensionBytes(count, k, 'random'), 0);
      expect(bytes).toEqual({ a: 0, b: correction });
      expect(extensionBytes(1000, k, 'random')).toBe((128 / k - 1) * 128);
    });
  }

  it('is silent but for its batches, within a call and across calls, at the stated cost', async () => {
    const counts = [1, 127, 128, 129, 1000];
    const { sent, received, rounds, bytes } = await run(
      silent.options,
      1,
      (session) => inTurn(counts, (count) => sendRandom(session, count)),
      (session) => inTurn(counts, (count) => recvRandom(session, count)),
    );
    const all = counts.map((_, i): RandomOts => ({ ...sent[i]!, ...received[i]! }));
    for (const [i, count] of counts.entries()) expectOt(all[i]!, count);
    expect(new Set(all.map(({ zero }) => toHex(zero.subarray(0, 16)))).size).toBe(counts.length);
    expect(rounds).toBe(2);
    expect(bytes).toEqual({ a: batchBytes, b: 0 });
  });

  for (const { name, options, ahead, aheadRounds } of engines)
    it(`goes on over several extensions in one call (${name})`, async () => {
      const count = otsMax + 129;
      const { sent, received, rounds, bytes } = await run(
        options,
        1,
        (session) => sendRandom(session, count),
        (session) => recvRandom(session, count),
      );
      for (const i of [0, 88_351, 88_352, otsMax - 1, otsMax, count - 1]) {
        const named = bit(received.choices, i) === 1 ? sent.one : sent.zero;
        expect(toHex(received.chosen.subarray(16 * i, 16 * i + 16))).toBe(toHex(named.subarray(16 * i, 16 * i + 16)));
      }
      // The sender's batches need no answer between them.
      expect(rounds).toBe(Math.max(1, aheadRounds));
      expect(bytes.a).toBe(ahead([count]));
    });

  it('sends nothing for no OT', async () => {
    for (const { options } of engines) {
      const none = await run(
        options,
        1,
        async (session) => [await sendRandom(session, 0), await sendCorrelated(session, [vector(Z2_64, 0)])],
        async (session) => [await recvRandom(session, 0), await recvCorrelated(session, [Z2_64], 0, new Uint8Array(0))],
      );
      expect(none.bytes).toEqual({ a: 0, b: 0 });
    }
  });
});

it('opens over real base OTs in two rounds, at the stated cost', async () => {
  const { outcomes, rounds, bytes } = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch) => {
    if (ch.self === 'a') return sendRandom(await OtSender.open(ch, 'b', seededRng(1), softspoken.options), 100);
    return recvRandom(await OtReceiver.open(ch, 'a', seededRng(2), softspoken.options), 100);
  });
  const [a, b] = [...outcomes.values()].map((outcome) => ('value' in outcome ? outcome.value : expect.unreachable()));
  expectOt({ ...a, ...b } as unknown as RandomOts, 100);
  expect(rounds).toBe(2);
  expect(bytes).toEqual({ a: 128 * 32, b: 32 + (3 / 4) * 4096 + 31 * 16 });
});

describe('an extension', () => {
  const count = 300;
  const extended = (k: TreeBits, seed: number, given?: Uint8Array) => {
    const rng = seededRng(seed);
    const seeds = Array.from({ length: 128 / k }, () => Array.from({ length: 2 ** k }, () => rng(16)));
    const delta = rng(16);
    const punctured = seeds.map((tree, i) => {
      let path = 0;
      for (let b = 0; b < k; b++) path |= bit(delta, i * k + b) << b;
      return tree.map((_, y) => (y === 0 ? undefined : tree[y ^ path]));
    });
    const receiver = extendReceiver(streamsOf(seeds), count, given);
    const q = extendSender(streamsOf(punctured), delta, count, receiver.correction);
    return { ...receiver, q, delta };
  };

  for (const k of sizes) {
    it(`makes rows q = t ⊕ c·Δ, for trees of ${2 ** k} leaves and choices random or given`, () => {
      for (const given of [undefined, bitsOf(seededRng(k), count)]) {
        const { choices, rows, q, delta } = extended(k, k, given);
        for (let i = 0; i < count; i++) {
          if (given !== undefined) expect(bit(choices, i)).toBe(bit(given, i));
          const expected = rows.slice(16 * i, 16 * i + 16);
          if (bit(choices, i) === 1) for (let j = 0; j < 16; j++) expected[j]! ^= delta[j]!;
          expect(toHex(q.subarray(16 * i, 16 * i + 16))).toBe(toHex(expected));
        }
      }
    });
  }

  it('sends corrections that are as even for one choice as for the other', () => {
    for (const fill of [0, 0xff]) {
      const { correction } = extended(4, 11, new Uint8Array(Math.ceil(count / 8)).fill(fill));
      let ones = 0;
      for (let i = 0; i < 8 * correction.length; i++) ones += bit(correction, i);
      expect(Math.abs(ones - 4 * correction.length)).toBeLessThan(2.5 * Math.sqrt(8 * correction.length));
    }
  });
});

for (const { name, options, given, ahead, aheadRounds } of engines)
  describe(`chosen and correlated OT (${name})`, () => {
    for (const count of [1, 128, 1001]) {
      const rng = seededRng(count);
      const choices = bitsOf(rng, count);
      const correction = given(count);
      const batches = ahead([count, count]);

      it(`gives one of two bits, for ${count}`, async () => {
        const [zero, one] = [bitsOf(rng, count), bitsOf(rng, count)];
        const { received, rounds, bytes } = await run(
          options,
          count,
          (session) => sendBits(session, count, zero, one),
          (session) => recvBits(session, count, choices),
        );
        for (let i = 0; i < count; i++) expect(bit(received, i)).toBe(bit(bit(choices, i) === 1 ? one : zero, i));
        expect(rounds).toBe(2 + aheadRounds);
        expect(bytes).toEqual({ a: 2 * Math.ceil(count / 8) + batches, b: correction });
      });

      it(`gives x and x ⊕ c·δ for bits, for ${count}`, async () => {
        const deltas = bitsOf(rng, count);
        const { sent, received, rounds, bytes } = await run(
          options,
          count,
          (session) => sendCorrelatedBits(session, count, deltas),
          (session) => recvCorrelatedBits(session, count, choices),
        );
        for (let i = 0; i < count; i++) {
          expect(bit(received, i)).toBe(bit(sent, i) ^ (bit(choices, i) & bit(deltas, i)));
        }
        expect(rounds).toBe(2 + aheadRounds);
        expect(bytes).toEqual({ a: Math.ceil(count / 8) + batches, b: correction });
      });

      for (const width of [1, 2, 5]) {
        it(`gives one of two vectors of ${width}, for ${count}`, async () => {
          const [zero, one] = [1, 2].map(() => vectorOf(rng, count * width));
          const { received, rounds, bytes } = await run(
            options,
            count,
            (session) => sendVectors(session, width, zero!, one!),
            (session) => recvVectors(session, width, count, choices),
          );
          for (let i = 0; i < count * width; i++) {
            const c = bit(choices, Math.floor(i / width));
            expect(received.words[i]).toBe((c === 1 ? one : zero)!.words[i]);
          }
          expect(rounds).toBe(2 + aheadRounds);
          expect(bytes).toEqual({ a: 2 * 8 * count * width + batches, b: correction });
        });
      }

      for (const columns of [[Z2_64], [Z2_128], [Z2_192, Z2_64], [Z2_64, Z2_128, Z2_64, Z2_192]]) {
        const names = columns.map(({ name }) => name).join(', ');
        it(`gives x and x + c·δ over ${names}, carries and all, for ${count}`, async () => {
          const deltas = columns.map((ring) => fromBytes(ring, rng(8 * ring.limbs * count).slice(), count));
          const { sent, received, rounds, bytes } = await run(
            options,
            count,
            (session) => sendCorrelated(session, deltas),
            (session) => recvCorrelated(session, columns, count, choices),
          );
          for (const [column, ring] of columns.entries()) {
            const [x, y, delta] = [sent, received, deltas].map((all) => toIntegers(all[column]!)) as bigint[][];
            for (let i = 0; i < count; i++) {
              const expected = x![i]! + BigInt(bit(choices, i)) * delta![i]!;
              expect(y![i]).toBe(BigInt.asIntN(ring.bits, expected));
            }
          }
          // No two words of the masks are the same.
          const limbs = columns.reduce((sum, ring) => sum + ring.limbs, 0);
          expect(new Set(sent.flatMap(({ words }) => [...words])).size).toBe(count * limbs);
          expect(rounds).toBe(2 + aheadRounds);
          expect(bytes).toEqual({ a: 8 * count * limbs + batches, b: correction });
        });
      }
    }
  });

describe('products of two parties by OT', () => {
  for (const { name, options, given, ahead, aheadRounds } of engines)
    it(`are the products (${name}), at the edges of the ring too, at the stated cost`, async () => {
      const edges = [0n, 1n, -1n, 2n ** 63n - 1n, 1n - 2n ** 63n, 1n << 32n, 5n];
      const pairs = edges.flatMap((a) => edges.map((b) => [a, b] as const));
      for (const count of [1, 31, 32, 49]) {
        const [a, b] = [0, 1].map((side) =>
          fromIntegers(
            Z2_64,
            pairs.slice(0, count).map((pair) => pair[side]!),
          ),
        );
        const { sent, received, rounds, bytes } = await run(
          options,
          count,
          (session) => sendProducts(session, a!),
          (session) => recvProducts(session, Z2_64, b!.words),
        );
        for (let i = 0; i < count; i++) {
          const sum = BigInt.asUintN(64, sent.words[i]! + received.words[i]!);
          expect(sum).toBe(BigInt.asUintN(64, a!.words[i]! * b!.words[i]!));
        }
        const padded = 32 * Math.ceil(count / 32);
        expect(rounds).toBe(2 + aheadRounds);
        expect(bytes).toEqual({ a: 260 * padded + ahead([64 * padded]), b: given(64 * padded) });
      }
    });

  it('takes an OT for each bit that the receiver’s number may have, in any ring, at the stated cost', async () => {
    const rng = seededRng(7);
    for (const ring of [Z2_64, Z2_128, Z2_192]) {
      for (const bits of [1, 7, 32, 33, 63, 64]) {
        const count = 37;
        const a = fromBytes(ring, rng(8 * ring.limbs * count).slice(), count);
        const b = vectorOf(rng, count).words.map((word) => BigInt.asUintN(bits, word));
        b[0] = 2n ** BigInt(bits) - 1n;
        const { sent, received, rounds, bytes } = await run(
          softspoken.options,
          bits,
          (session) => sendProducts(session, a, bits),
          (session) => recvProducts(session, ring, b, bits),
        );
        const products = toIntegers(a).map((each, i) => BigInt.asIntN(ring.bits, each * b[i]!));
        expect(toIntegers(add(sent, received))).toEqual(products);
        const cost = productCost(count, ring, bits);
        expect(cost.ots).toBe(64 * bits);
        expect(rounds).toBe(cost.rounds);
        expect(bytes).toEqual({ a: cost.bytes, b: softspoken.given(cost.ots) });
      }
    }
    expect(productCost(32, Z2_64).bytes).toBe(32 * productBytes);
  });

  it('goes in pieces where there are more', async () => {
    expect(productCost(2 ** 15, Z2_64).rounds).toBe(2);
    expect(productCost(2 ** 15 + 1, Z2_64).rounds).toBe(4);
    const rng = seededRng(8);
    const many = 2 ** 17 + 5;
    expect(productCost(many, Z2_64, 1).rounds).toBe(4);
    const [a, b] = [vectorOf(rng, many), vectorOf(rng, many).words.map((word) => word & 1n)];
    const { sent, received } = await run(
      silent.options,
      1,
      (session) => sendProducts(session, a, 1),
      (session) => recvProducts(session, Z2_64, b, 1),
    );
    const products = a.words.map((each, i) => each * b[i]!);
    expect(add(sent, received).words).toEqual(products);
  });
});

describe('what OT refuses', () => {
  const ends = async (options: OtOptions = softspoken.options) => {
    const [a, b] = channels(['a', 'b']);
    const all = { ...options, ...ideal };
    return Promise.all([OtSender.open(a!, 'b', seededRng(1), all), OtReceiver.open(b!, 'a', seededRng(2), all)]);
  };
  const code = (name: string) => expect.objectContaining({ code: name });

  for (const { name, options } of engines)
    it(`payloads of different lengths, at one end and between the ends (${name})`, async () => {
      const [sender, receiver] = await ends(options);
      const differ = sendVectors(sender, 1, vector(Z2_64, 3), vector(Z2_64, 4));
      await expect(differ).rejects.toThrow(code('LENGTHS_DIFFER'));
      await expect(sendBits(sender, 9, new Uint8Array(2), new Uint8Array(1))).rejects.toThrow(code('LENGTHS_DIFFER'));
      await expect(recvBits(receiver, 9, new Uint8Array(1))).rejects.toThrow(code('LENGTHS_DIFFER'));
      // 200 OTs against 300: the extension that comes is longer than the one that is due.
      const longer = recvCorrelated(receiver, [Z2_64], 300, new Uint8Array(38));
      await expect(sendCorrelated(sender, [vector(Z2_64, 200)])).rejects.toThrow(code('TOO_LARGE'));
      longer.catch(() => {});
      const [sender2, receiver2] = await ends(options);
      const shorter = recvCorrelated(receiver2, [Z2_64], 100, new Uint8Array(13));
      await expect(sendCorrelated(sender2, [vector(Z2_64, 300)])).rejects.toThrow(code('BAD_MESSAGE'));
      shorter.catch(() => {});
      // One padded length, and another number of elements.
      const [sender3, receiver3] = await ends(options);
      const fewer = recvCorrelated(receiver3, [Z2_64], 100, new Uint8Array(13));
      await sendCorrelated(sender3, [vector(Z2_64, 99)]);
      await expect(fewer).rejects.toThrow(code('BAD_MESSAGE'));
    });

  it('more than the stated limits, on either side', async () => {
    const [sender, receiver] = await ends();
    const over = new Uint8Array(otsPerCallMax / 8 + 1);
    await expect(sender.extend(otsMax + 1)).rejects.toThrow(code('OVER_LIMIT'));
    await expect(receiver.extend(otsMax + 1)).rejects.toThrow(code('OVER_LIMIT'));
    await expect(sendCorrelatedBits(sender, 8 * over.length, over)).rejects.toThrow(code('OVER_LIMIT'));
    await expect(recvBits(receiver, 8 * over.length, over)).rejects.toThrow(code('OVER_LIMIT'));
    await expect(recvVectors(receiver, otElementsMax, 2, new Uint8Array(1))).rejects.toThrow(code('OVER_LIMIT'));
  });

  it('a second session of the same pair in one fork', async () => {
    const [a, b] = channels(['a', 'b']);
    await Promise.all([OtSender.open(a!, 'b', seededRng(1), ideal), OtReceiver.open(b!, 'a', seededRng(2), ideal)]);
    await expect(OtSender.open(a!, 'b', seededRng(1), ideal)).rejects.toThrow(code('LABEL_REUSED'));
  });

  it('a batch that is repeated on its way', async () => {
    let copies = 0;
    const [a, b] = channels(['a', 'b'], {
      write(from, to, record) {
        const target = [a!, b!].find(({ self }) => self === to)!;
        target.deliver(from, record);
        // The first extension, by its size: 128 OTs without the first tree.
        if (record.length === 24 + extensionBytes(128, 4, 'random')) {
          copies += 1;
          target.deliver(from, new Uint8Array(record));
        }
      },
    });
    const options = { ...softspoken.options, ...ideal };
    const both = [
      OtSender.open(a!, 'b', seededRng(1), options),
      OtReceiver.open(b!, 'a', seededRng(2), options),
    ] as const;
    const [sender, receiver] = await Promise.all(both);
    await Promise.all([sender.extend(128), receiver.extend(128)]);
    expect(copies).toBe(1);
    await expect(sender.extend(128)).rejects.toThrow(code('TAMPERED'));
  });
});

describe('OT on a faulty network', () => {
  for (const { name, options } of engines)
    it(`is right or ends in a typed error, whatever is lost, changed or late, and wherever a party stops (${name})`, async () => {
      const count = 200;
      const choices = bitsOf(seededRng(5), count);
      const deltas = vectorOf(seededRng(6), count);
      const faults = [
        { delay: 0.5 },
        { loss: 0.2 },
        { repeat: 0.2 },
        { corrupt: 0.2 },
        { cut: 0.2 },
        { reorder: 0.3 },
        ...[1, 2, 3, 4, 5, 6].map((atStep) => ({ crash: { party: atStep % 2 === 0 ? 'a' : 'b', atStep } })),
      ];
      let right = 0;
      let refused = 0;
      for (const [i, fault] of faults.entries()) {
        const { outcomes } = await simulate({ parties: ['a', 'b'], seed: i, faults: fault }, async (ch) => {
          const rng = seededRng(i);
          // With real base OTs where a party stops, so that it stops within them too.
          const base = { ...options, ...('crash' in fault ? {} : ideal) };
          if (ch.self === 'a') return sendCorrelated(await OtSender.open(ch, 'b', rng, base), [deltas]);
          return recvCorrelated(await OtReceiver.open(ch, 'a', rng, base), [Z2_64], count, choices);
        });
        const [a, b] = [...outcomes.values()];
        for (const outcome of [a!, b!]) {
          if ('error' in outcome) {
            expect(outcome.error).toMatchObject({ layer: 'protocol' });
            refused += 1;
          }
        }
        if ('value' in a! && 'value' in b!) {
          right += 1;
          for (let j = 0; j < count; j++) {
            const y = a.value[0]!.words[j]! + BigInt(bit(choices, j)) * deltas.words[j]!;
            expect(b.value[0]!.words[j]).toBe(BigInt.asUintN(64, y));
          }
        }
      }
      expect(right).toBeGreaterThan(0);
      expect(refused).toBeGreaterThan(5);
    });
});

async function inTurn<T>(counts: readonly number[], f: (count: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const count of counts) results.push(await f(count));
  return results;
}
