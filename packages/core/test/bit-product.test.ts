/**
 * Products of shared bits and values, known to one party or shared, over every ring.
 */
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import {
  add,
  fromBytes,
  type Ring,
  toIntegers,
  type Vector,
  vector,
  Z2_64,
  Z2_128,
  Z2_192,
} from '../src/algebra/ring.ts';
import { bitProductCost, bitProducts, recvBitProducts, sendBitProducts } from '../src/protocols/bit-product.ts';
import { OtReceiver, OtSender } from '../src/protocols/ot-extension.ts';
import type { PairSource } from '../src/protocols/pair-source.ts';
import { extensionBytes, treesBytes } from '../src/protocols/softspoken-ot.ts';
import { type Bits, openBits, unpackBits } from '../src/sharing/bit-share.ts';
import { lockstep } from './lockstep.ts';
import { idealBaseOts } from './relations.ts';

const options = { extension: 'softspoken', k: 2, base: idealBaseOts } as const;
const rng = seededRng(1);

const randomVector = (ring: Ring, count: number): Vector => fromBytes(ring, rng(8 * ring.limbs * count), count);
const randomBits = (count: number): Bits => ({
  count,
  words: new Uint32Array(rng(4 * Math.ceil(count / 32)).slice().buffer),
});

/** b·v in plain. */
function expected(bits: readonly Bits[], v: Vector): bigint[] {
  const b = unpackBits(openBits(bits));
  return toIntegers(v).map((each, i) => (b[i] === 1 ? each : 0n));
}

const opened = (shares: readonly Vector[]): bigint[] => toIntegers(shares.reduce(add));

for (const rings of [[Z2_64], [Z2_128, Z2_64], [Z2_192, Z2_192, Z2_64]]) {
  const names = rings.map(({ name }) => name).join(', ');
  describe(`a product of a bit and values over ${names}`, () => {
    for (const count of [1, 32, 301]) {
      it(`is right where the sender knows ${count} values, at the stated cost`, async () => {
        const bits = [randomBits(count), randomBits(count)];
        const values = rings.map((ring) => randomVector(ring, count));
        const run = await lockstep(['a', 'b'], async (ch) => {
          if (ch.self === 'a')
            return sendBitProducts(await OtSender.open(ch, 'b', seededRng(2), options), bits[0]!, values);
          return recvBitProducts(await OtReceiver.open(ch, 'a', seededRng(3), options), bits[1]!, rings);
        });
        for (const [i, v] of values.entries()) {
          expect(opened(run.values.map((shares) => shares[i]!))).toEqual(expected(bits, v));
        }
        const cost = bitProductCost(count, rings);
        expect(run.bytes.a).toBe(cost.bytes);
        expect(run.bytes.b).toBe(treesBytes(2) + extensionBytes(cost.ots, 2, 'given'));
        // The first message opens the session.
        expect(run.rounds).toBe(cost.rounds);
      });
    }

    it('is right where the values are shared, in the same rounds', async () => {
      const count = 70;
      const bits = [randomBits(count), randomBits(count)];
      const shares = [0, 1].map(() => rings.map((ring) => randomVector(ring, count)));
      const run = await lockstep(['a', 'b'], async (ch) => {
        const me = ch.self === 'a' ? 0 : 1;
        const peer = ch.peers[0]!;
        const [sender, receiver] = await Promise.all([
          OtSender.open(ch, peer, seededRng(me), options),
          OtReceiver.open(ch, peer, seededRng(me + 2), options),
        ]);
        return bitProducts({ sender, receiver } as PairSource, bits[me]!, shares[me]!);
      });
      for (const i of rings.keys()) {
        const v = add(shares[0]![i]!, shares[1]![i]!);
        expect(opened(run.values.map((all) => all[i]!))).toEqual(expected(bits, v));
      }
    });
  });
}

it('refuses values of another number than the bits', async () => {
  const { values } = await lockstep(['a', 'b'], async (ch) => {
    if (ch.self === 'b') return OtReceiver.open(ch, 'a', seededRng(3), options);
    const session = await OtSender.open(ch, 'b', seededRng(2), options);
    const product = sendBitProducts(session, randomBits(5), [vector(Z2_64, 6)]);
    await expect(product).rejects.toMatchObject({ code: 'LENGTHS_DIFFER' });
    return session;
  });
  expect(values).toHaveLength(2);
});

it('goes in pieces that hold one call of OTs', () => {
  expect(bitProductCost(2 ** 21 + 1, [Z2_64]).rounds).toBe(6);
  expect(bitProductCost(2 ** 20, [Z2_192, Z2_192, Z2_192]).rounds).toBe(6);
  expect(bitProductCost(7, [])).toEqual({ rounds: 0, bytes: 0, ots: 0 });
});
