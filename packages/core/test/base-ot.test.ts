import { ed25519, ristretto255 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../src/algebra/bytes.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { simulate } from '../src/channel/simulate.ts';
import {
  blind,
  commonElement,
  drawScalar,
  elementOf,
  offer,
  receiverKeys,
  recvBaseOts,
  sendBaseOts,
  senderKeys,
} from '../src/protocols/base-ot.ts';
import { growPuncturedTree, growTree } from '../src/protocols/punctured-tree.ts';
import { channels } from './channels.ts';

const session = utf8('a session');

describe('base OT', () => {
  it('gives the receiver the key of each choice, and no other', () => {
    const common = commonElement(session);
    const r = drawScalar(seededRng(1));
    const choices = [0, 1, 1, 0];
    const scalars = choices.map((_, i) => drawScalar(seededRng(10 + i)));
    const blinded = choices.map((choice, i) => blind(common, choice, scalars[i]!));
    const pairs = senderKeys(common, r, blinded);
    const keys = receiverKeys(offer(r), scalars, blinded);
    for (const [i, choice] of choices.entries()) {
      expect(keys[i]).toEqual(pairs[i]![choice]);
      expect(keys[i]).not.toEqual(pairs[i]![1 - choice]);
    }
    expect(new Set(pairs.flat().map(toHex)).size).toBe(8);
  });

  it('takes one round, 32 bytes of the sender and 32 an OT of the receiver', async () => {
    const choices = [1, 0, 1];
    const run = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch) => {
      if (ch.self === 'a') return (await sendBaseOts(ch, 'b', session, 3, seededRng(1))).map((pair) => pair.map(toHex));
      return (await recvBaseOts(ch, 'a', session, choices, seededRng(2))).map((key) => [toHex(key)]);
    });
    const [a, b] = ['a', 'b'].map((party) => run.outcomes.get(party) as { value: string[][] });
    expect(b!.value.map(([key]) => key)).toEqual(choices.map((choice, i) => a!.value[i]![choice]));
    expect(run.rounds).toBe(1);
    expect(run.bytes).toEqual({ a: 32, b: 96 });
  });

  it('has other keys in another session, with the same coins', () => {
    const [one, other] = [commonElement(session), commonElement(utf8('another'))];
    expect(one.equals(other)).toBe(false);
  });

  it('refuses what is no element: off the group, of small order, not canonical, the identity', async () => {
    const torsion = [
      '0000000000000000000000000000000000000000000000000000000000000000',
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    ];
    const notCanonical = ['00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 'ff'.repeat(32)];
    const negative = ristretto255.Point.BASE.toBytes();
    negative[0]! ^= 1;
    // A good point of the curve, which as an encoding of the group is one element in a few by chance.
    const onTheCurve = ed25519.Point.BASE.multiply(5n).toBytes();
    for (const bytes of [...[...torsion, ...notCanonical].map(fromHex), negative, onTheCurve]) {
      expect(() => elementOf(bytes)).toThrow(RangeError);
      const refusal = (party: string, field: string) => expect.objectContaining({ code: 'BAD_MESSAGE', party, field });
      const [a, b] = channels(['a', 'b']);
      await a!.send('b', 'base-ot/offer', bytes);
      const choice = recvBaseOts(b!, 'a', session, [1], seededRng(1));
      await expect(choice).rejects.toThrow(refusal('a', 'base-ot/offer'));
      const [c, d] = channels(['a', 'b']);
      await d!.send('a', 'base-ot/blinded', bytes);
      const offered = sendBaseOts(c!, 'b', session, 1, seededRng(1));
      await expect(offered).rejects.toThrow(refusal('b', 'base-ot/blinded'));
    }
  });

  it('refuses a batch of another length', async () => {
    const [a, b] = channels(['a', 'b']);
    const offered = sendBaseOts(a!, 'b', session, 3, seededRng(1));
    void recvBaseOts(b!, 'a', session, [1, 0], seededRng(1));
    await expect(offered).rejects.toThrow(expect.objectContaining({ code: 'BAD_MESSAGE', party: 'b' }));
  });
});

describe('a punctured tree', () => {
  it('has every leaf of the whole one but that at its path, for each path', () => {
    for (const levels of [1, 2, 3, 8]) {
      const rng = seededRng(levels);
      const keys = Array.from({ length: levels }, () => [rng(16), rng(16)] as const);
      const { leaves, correction } = growTree(keys);
      expect(new Set(leaves.map(toHex)).size).toBe(2 ** levels);
      expect(correction.length).toBe(32 * (levels - 1));
      for (let path = 0; path < 2 ** levels; path++) {
        const known = keys.map((pair, depth) => pair[1 - ((path >> (levels - 1 - depth)) & 1)]!);
        const punctured = growPuncturedTree(known, path, correction);
        expect(punctured).toEqual(leaves.map((leaf, x) => (x === path ? undefined : leaf)));
      }
    }
  });
});
