import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { equal, fromIntegers, length, rings, toIntegers, vector, Z2_64, Z2_128 } from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { addConstant, inputShare, jointSum, open, share } from '../src/sharing/additive.ts';
import { channels, partyNames } from './channels.ts';
import { integers, type Sharing, sharingLaws } from './laws.ts';

const additive: Sharing = { name: 'additive sharing', share, open };

/** One party's input among zeros, without a message: each party's share of the joint sum. */
const silent: Sharing = {
  name: 'a joint sum',
  share(x, parties, rng) {
    const all = channels(partyNames(parties), { seed: rng(32) });
    return all.map((ch, i) => jointSum(ch, 'x', i === 0 ? x : vector(x.ring, length(x))));
  },
  open,
};

const input: Sharing = {
  name: 'an input of the last party',
  share(x, parties, rng) {
    const all = channels(partyNames(parties), { seed: rng(32) });
    const owner = all.at(-1)!.self;
    const form = { ring: x.ring, length: length(x) };
    return all.map((ch) => inputShare(ch, 'x', owner, ch.self === owner ? x : form));
  },
  open,
};

for (const ring of rings) {
  for (const sharing of [additive, silent, input]) sharingLaws(sharing, ring);
}

describe('a joint sum', () => {
  it('adds every party’s vector, in each ring, for 2 to 6 parties', () => {
    for (const ring of rings) {
      const inputs = fc
        .integer({ min: 2, max: 6 })
        .chain((parties) => fc.array(fc.tuple(...partyNames(parties).map(() => integers(ring))), { maxLength: 30 }));
      fc.assert(
        fc.property(inputs, fc.integer({ min: 2, max: 6 }), (rows, fewest) => {
          const parties = rows[0]?.length ?? fewest;
          const shares = channels(partyNames(parties)).map((ch, i) => {
            return jointSum(
              ch,
              'x',
              fromIntegers(
                ring,
                rows.map((row) => row[i]!),
              ),
            );
          });
          const sums = rows.map((row) =>
            BigInt.asIntN(
              ring.bits,
              row.reduce((sum, each) => sum + each, 0n),
            ),
          );
          expect(toIntegers(open(shares))).toEqual(sums);
        }),
        { numRuns: 50 },
      );
    }
  });

  it('is right over several pieces of the masks, at their edges too', () => {
    for (const count of [24 * 1024 - 1, 24 * 1024, 24 * 1024 + 1, 60_001]) {
      for (const ring of [Z2_64, Z2_128]) {
        const own = fromIntegers(
          ring,
          Array.from({ length: count }, (_, i) => BigInt(i)),
        );
        const sum = open(channels(['a', 'b', 'c']).map((ch) => jointSum(ch, 'x', own)));
        expect(toIntegers(sum).every((each, i) => each === 3n * BigInt(i))).toBe(true);
      }
    }
  });

  it('leaves the party’s own vector as it was', () => {
    const own = fromIntegers(Z2_64, [1n, 2n]);
    jointSum(channels(['a', 'b'])[0]!, 'x', own);
    expect(toIntegers(own)).toEqual([1n, 2n]);
  });

  it('masks alike from seed to seed and unlike from label to label', () => {
    const zeros = vector(Z2_64, 4);
    const once = channels(['a', 'b'])[0]!;
    const again = channels(['a', 'b'])[0]!;
    const x = jointSum(once, 'x', zeros);
    expect(equal(jointSum(again, 'x', zeros), x)).toBe(true);
    expect(equal(jointSum(once, 'y', zeros), x)).toBe(false);
  });

  it('refuses a label that was used before', () => {
    const [ch] = channels(['a', 'b']);
    jointSum(ch!, 'x', vector(Z2_64, 1));
    expect(() => jointSum(ch!, 'x', vector(Z2_64, 1))).toThrow(expect.objectContaining({ code: 'LABEL_REUSED' }));
  });

  it('refuses equal keys for the two directions of a pair, which would leave its input bare', () => {
    const [ch] = channels(['a', 'b']);
    const undirected: Channel = {
      ...bare(ch!),
      deriveKey: (owner, holder, label) => ch!.deriveKey(...([owner, holder].sort() as [string, string]), label),
    };
    const forgetful: Channel = { ...undirected, deriveKey: () => new Uint8Array(16) };
    const refusal = expect.objectContaining({ code: 'SAME_KEY_BOTH_WAYS', party: 'b', field: 'x' });
    expect(() => jointSum(forgetful, 'x', vector(Z2_64, 1))).toThrow(refusal);
    // The session notices first that such a key is taken twice.
    expect(() => jointSum(undirected, 'x', vector(Z2_64, 1))).toThrow(
      expect.objectContaining({ code: 'LABEL_REUSED' }),
    );
  });
});

describe('a constant', () => {
  it('is added once, whoever computes', () => {
    const all = channels(['a', 'b', 'c']);
    const shares = share(fromIntegers(Z2_64, [5n, -5n]), 3, seededRng(1));
    const sum = open(all.map((ch, i) => addConstant(ch, shares[i]!, fromIntegers(Z2_64, [100n, 1n]))));
    expect(toIntegers(sum)).toEqual([105n, -4n]);
  });
});

it('shares among two parties or more, never one', () => {
  expect(() => share(vector(Z2_64, 1), 1, seededRng(1))).toThrow('assertion failed');
  expect(() => open([])).toThrow('assertion failed');
});

function bare(ch: Channel): Channel {
  const { self, peers, context } = ch;
  return {
    self,
    peers,
    context,
    send: (to, label, message) => ch.send(to, label, message),
    recv: (from, label, bytesMax) => ch.recv(from, label, bytesMax),
    fork: (label) => ch.fork(label),
    deriveKey: (owner, holder, label) => ch.deriveKey(owner, holder, label),
  };
}
