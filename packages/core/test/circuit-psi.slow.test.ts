/**
 * Matches with a payload that needs several hints.
 */
import { expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { add, equal, fromBytes, slice, Z2_64, Z2_192 } from '../src/algebra/ring.ts';
import {
  type Matches,
  matchesCost,
  type ReceiverMatches,
  recvMatches,
  sendMatches,
} from '../src/protocols/circuit-psi.ts';
import { idealReceiver, idealSender } from '../src/protocols/ideal-pair.ts';
import { opprfBytes } from '../src/protocols/opprf.ts';
import { openBits, packBits, unpackBits } from '../src/sharing/bit-share.ts';
import { lockstep } from './lockstep.ts';

it('finds matches whose payload goes in several hints, at the stated cost', async () => {
  const rng = seededRng(1);
  const [own, other] = [10, 2 ** 15];
  const sender = rng(16 * other);
  const receiver = sender.slice(0, 16 * own);
  const rings = [Z2_64, ...Array.from({ length: 66 }, () => Z2_192), Z2_64];
  const words = rings.map((ring) => fromBytes(ring, rng(8 * ring.limbs * other), other));
  const flags = [packBits(rng(other))];
  const { values, bytes, rounds } = await lockstep(['a', 'b'], async (ch) => {
    if (ch.self === 'a') {
      const input = { elements: sender, peerCount: own, words, flags };
      return sendMatches(ch, 'b', idealSender(ch.fork('ideal'), 'b', 1), input, seededRng(2));
    }
    const input = { elements: receiver, peerCount: other, rings, flags: 1 };
    return recvMatches(ch, 'a', idealReceiver(ch.fork('ideal'), 'a', 1), input, seededRng(3));
  });
  const [a, b] = values as [Matches, ReceiverMatches];
  const matched = unpackBits(openBits([a.bits, b.bits]));
  const flag = unpackBits(openBits([a.flags[0]!, b.flags[0]!]));
  expect(a.words.map(({ ring }) => ring)).toEqual(rings);
  for (const [bin, element] of b.table.bins.entries()) {
    expect(matched[bin]).toBe(element < 0 ? 0 : 1);
    if (element < 0) continue;
    expect(flag[bin]).toBe(unpackBits(flags[0]!)[element]);
    for (const [i, payload] of words.entries()) {
      const opened = add(slice(a.words[i]!, bin, bin + 1), slice(b.words[i]!, bin, bin + 1));
      expect(equal(opened, slice(payload, element, element + 1))).toBe(true);
    }
  }
  const cost = matchesCost(own, other, { rings, flags: 1 });
  expect(bytes.a! + bytes.b!).toBe(cost.bytes);
  expect(rounds).toBe(cost.rounds);
  // Two hints: an octet more than one would have.
  const hints = [101, 102, 103, 104].map((blocks) => opprfBytes(3 * other, blocks) + 1);
  const hint = cost.bytes - matchesCost(own, other, { rings: [], flags: 0 }).bytes + opprfBytes(3 * other, 1);
  expect(hints).toContain(hint);
});
