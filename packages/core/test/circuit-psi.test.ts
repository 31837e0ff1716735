/**
 * Matches of two sets on shares, against the sets in plain.
 */
import { describe, expect, it } from 'vitest';
import { concat, toHex } from '../src/algebra/bytes.ts';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import { add, fromBytes, type Ring, toIntegers, type Vector, Z2_64, Z2_128, Z2_192 } from '../src/algebra/ring.ts';
import type { Channel } from '../src/channel/channel.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { simulate } from '../src/channel/simulate.ts';
import {
  bucketBins,
  bucketsOf,
  type Matches,
  matchesCost,
  type ReceiverMatches,
  recvMatches,
  sendMatches,
} from '../src/protocols/circuit-psi.ts';
import { toss } from '../src/protocols/coin-toss.ts';
import { binsFor, cuckooTable } from '../src/protocols/cuckoo.ts';
import { idealReceiver, idealSender, type Taken } from '../src/protocols/ideal-pair.ts';
import { recvOpprf } from '../src/protocols/opprf.ts';
import { recvOprf } from '../src/protocols/oprf.ts';
import type { ReceiverSource, SenderSource } from '../src/protocols/pair-source.ts';
import { type Bits, openBits, packBits, unpackBits } from '../src/sharing/bit-share.ts';
import { fit } from './goodness.ts';
import { type Lockstep, lockstep } from './lockstep.ts';

const code = (name: string) => expect.objectContaining({ code: name });

interface Sets {
  readonly receiver: Uint8Array;
  readonly sender: Uint8Array;
  readonly words: readonly Vector[];
  readonly flags: readonly Bits[];
}

/** Sets with so many elements in common, in places that have nothing to do with one another. */
function setsOf(rng: Rng, own: number, other: number, common: number, rings: readonly Ring[], flags: number): Sets {
  const shared = rng(16 * common);
  const receiver = concat(rng(16 * (own - common)), shared);
  const sender = concat(shared.slice(), rng(16 * (other - common)));
  return {
    receiver,
    sender,
    words: rings.map((ring) => fromBytes(ring, rng(8 * ring.limbs * other), other)),
    flags: Array.from({ length: flags }, () => packBits(rng(other))),
  };
}

interface Run extends Lockstep<unknown> {
  readonly receiver: ReceiverMatches;
  readonly sender: Matches;
  readonly taken: { readonly receiver: Taken['taken']; readonly sender: Taken['taken'] };
}

interface Changes {
  readonly receiverSource?: (source: ReceiverSource) => ReceiverSource;
  readonly senderSource?: (source: SenderSource) => SenderSource;
  readonly senderCount?: number;
  readonly senderRng?: Rng;
}

/** Both ends, of which the first named is the receiver's, over an ideal source. */
async function run(sets: Sets, seed: number, names = ['b', 'a'], changes: Changes = {}): Promise<Run> {
  const [receiver, sender] = names as [string, string];
  const taken: { receiver?: Taken; sender?: Taken } = {};
  const rings = sets.words.map(({ ring }) => ring);
  const program = async (ch: Channel) => {
    if (ch.self === receiver) {
      const source = idealReceiver(ch.fork('ideal'), sender, seed);
      taken.receiver = source;
      const input = {
        elements: sets.receiver,
        peerCount: changes.senderCount ?? sets.sender.length / 16,
        rings,
        flags: sets.flags.length,
      };
      return recvMatches(ch, sender, changes.receiverSource?.(source) ?? source, input, seededRng(seed + 1));
    }
    const source = idealSender(ch.fork('ideal'), receiver, seed);
    taken.sender = source;
    const input = { ...sets, elements: sets.sender, peerCount: sets.receiver.length / 16 };
    const coins = changes.senderRng ?? seededRng(seed + 2);
    return sendMatches(ch, receiver, changes.senderSource?.(source) ?? source, input, coins);
  };
  const done = await lockstep(['a', 'b'], program);
  const [a, b] = done.values as [Matches, Matches];
  return {
    ...done,
    receiver: (receiver === 'a' ? a : b) as ReceiverMatches,
    sender: receiver === 'a' ? b : a,
    taken: { receiver: taken.receiver!.taken, sender: taken.sender!.taken },
  };
}

/** Every bin's match is right, and where it matches so is the payload of the sender's element. How many match. */
function expectMatches(sets: Sets, { receiver, sender }: { receiver: ReceiverMatches; sender: Matches }): number {
  const keyAt = (elements: Uint8Array, i: number) => toHex(elements.subarray(16 * i, 16 * i + 16));
  const places = new Map(Array.from({ length: sets.sender.length / 16 }, (_, i) => [keyAt(sets.sender, i), i]));
  // The place of the sender's element in each bin; −1 where there is none.
  const expected = Array.from(receiver.table.bins, (element) => {
    return element < 0 ? -1 : (places.get(keyAt(sets.receiver, element)) ?? -1);
  });
  const matched = unpackBits(openBits([receiver.bits, sender.bits]));
  expect(matched).toEqual(Uint8Array.from(expected, (place) => (place < 0 ? 0 : 1)));
  const bins = [...expected.keys()].filter((bin) => expected[bin]! >= 0);
  for (const [i, payload] of sets.words.entries()) {
    const [opened, own] = [toIntegers(add(receiver.words[i]!, sender.words[i]!)), toIntegers(payload)];
    expect(bins.map((bin) => opened[bin])).toEqual(bins.map((bin) => own[expected[bin]!]));
  }
  for (const [i, payload] of sets.flags.entries()) {
    const [opened, own] = [unpackBits(openBits([receiver.flags[i]!, sender.flags[i]!])), unpackBits(payload)];
    expect(bins.map((bin) => opened[bin])).toEqual(bins.map((bin) => own[expected[bin]!]));
  }
  return bins.length;
}

describe('matches on shares', () => {
  for (const [own, other, common, rings, flags] of [
    [100, 100, 0, [Z2_64], 0],
    [100, 100, 1, [], 1],
    [100, 100, 50, [Z2_64, Z2_128], 3],
    [100, 100, 100, [Z2_192, Z2_64], 20],
    [40, 640, 40, [Z2_64], 2],
    [640, 40, 20, [Z2_128], 0],
    [640, 40, 40, [], 0],
    [1, 1, 1, [Z2_64], 1],
  ] as const) {
    it(`are right for sets of ${own} and ${other} with ${common} in common, at the stated cost`, async () => {
      const sets = setsOf(seededRng(own + common), own, other, common, rings, flags);
      const done = await run(sets, 5);
      expect(expectMatches(sets, done)).toBe(common);
      const cost = matchesCost(own, other, { rings, flags });
      expect(done.rounds).toBe(cost.rounds);
      expect(done.bytes.a! + done.bytes.b!).toBe(cost.bytes);
      const { bitTriples, voles } = cost;
      for (const taken of [done.taken.receiver, done.taken.sender]) {
        expect(taken).toEqual({ bitTriples, sharedBits: 0, otsFromSender: 0, otsFromReceiver: 0, voles });
      }
    });
  }

  it('are right whichever of the two comes first', async () => {
    const sets = setsOf(seededRng(1), 30, 30, 10, [Z2_64], 1);
    expect(expectMatches(sets, await run(sets, 6, ['a', 'b']))).toBe(10);
  });

  it('are the same whatever order the sets have', async () => {
    const sets = setsOf(seededRng(2), 20, 20, 7, [], 0);
    const reversed = concat(...Array.from({ length: 20 }, (_, i) => sets.sender.slice(16 * (19 - i), 16 * (20 - i))));
    expect(expectMatches(sets, await run({ ...sets, sender: reversed }, 7))).toBe(7);
  });

  it('take a tag of 40 bits and the bins’ logarithm, and a block where payload and flags fit beside it', () => {
    const costs = (rings: readonly Ring[], flags: number) => matchesCost(2 ** 20, 2 ** 20, { rings, flags });
    expect(costs([Z2_64], 3).bytes).toBe(costs([], 0).bytes);
    expect(costs([Z2_64], 4).bytes).toBeGreaterThan(costs([Z2_64], 3).bytes);
    const bins = binsFor(2 ** 20);
    expect(costs([], 0).bitTriples).toBe(60 * 32 * Math.ceil(bins / 32));
  });

  it('are found in buckets of whole words, of which the last is as large as is left', () => {
    expect(bucketsOf(0)).toEqual([]);
    expect(bucketsOf(bucketBins)).toEqual([{ start: 0, end: bucketBins }]);
    expect(bucketsOf(bucketBins + 5).at(-1)).toEqual({ start: bucketBins, end: bucketBins + 5 });
    expect(bucketBins % 32).toBe(0);
    expect(matchesCost(2 ** 17, 10, { rings: [], flags: 0 }).rounds).toBe(4 + 2 * 6);
  });
});

describe('matches of larger sets and on worse links', () => {
  it('are right over several buckets', async () => {
    const sets = setsOf(seededRng(6), 104_000, 50, 20, [Z2_64], 1);
    const done = await run(sets, 9);
    expect(bucketsOf(done.receiver.bits.count)).toHaveLength(2);
    expect(expectMatches(sets, done)).toBe(20);
    expect(done.rounds).toBe(matchesCost(104_000, 50, { rings: [Z2_64], flags: 1 }).rounds);
  });

  it('are right or end in a typed error, whatever is lost, changed or late, and wherever a party stops', async () => {
    const sets = setsOf(seededRng(7), 20, 20, 10, [Z2_64], 1);
    const faults = [
      { delay: 0.5 },
      { loss: 0.1 },
      { repeat: 0.1 },
      { corrupt: 0.1 },
      { cut: 0.1 },
      { reorder: 0.2 },
      ...[1, 3, 4, 6, 9, 12].map((atStep) => ({ crash: { party: atStep % 2 === 0 ? 'a' : 'b', atStep } })),
    ];
    const ended = { right: 0, refused: 0 };
    for (const [seed, fault] of faults.entries()) {
      const { outcomes } = await simulate({ parties: ['a', 'b'], seed, faults: fault }, (ch) => {
        if (ch.self === 'b') {
          const input = { elements: sets.receiver, peerCount: 20, rings: [Z2_64], flags: 1 };
          return recvMatches(ch, 'a', idealReceiver(ch.fork('ideal'), 'a', seed), input, seededRng(seed));
        }
        const input = { ...sets, elements: sets.sender, peerCount: 20 };
        return sendMatches(ch, 'b', idealSender(ch.fork('ideal'), 'b', seed), input, seededRng(100 + seed));
      });
      const [sender, receiver] = [outcomes.get('a')!, outcomes.get('b')!];
      for (const outcome of [sender, receiver]) {
        if ('value' in outcome) continue;
        expect(outcome.error).toMatchObject({ layer: 'protocol' });
        ended.refused += 1;
      }
      if ('value' in sender && 'value' in receiver) {
        expect(expectMatches(sets, { sender: sender.value, receiver: receiver.value as ReceiverMatches })).toBe(10);
        ended.right += 1;
      }
    }
    expect(ended.right).toBeGreaterThan(0);
    expect(ended.refused).toBeGreaterThan(5);
  });
});

describe('what the receiver holds', () => {
  it('is uniform where bins match, where they do not and where they are empty', async () => {
    // All payloads are 0: what is not masked would show.
    const none = setsOf(seededRng(3), 600, 600, 300, [Z2_64], 8);
    const sets: Sets = {
      ...none,
      words: none.words.map(({ ring, words }) => ({ ring, words: words.fill(0n) })),
      flags: none.flags.map(({ count, words }) => ({ count, words: words.fill(0) })),
    };
    const done = await run(sets, 8);
    expect(expectMatches(sets, done)).toBe(300);
    const matched = unpackBits(openBits([done.receiver.bits, done.sender.bits]));
    const [words] = done.receiver.words;
    const flags = done.receiver.flags.map(unpackBits);
    const kindOf = (element: number, bin: number) => (element < 0 ? 'empty' : matched[bin] === 1 ? 'match' : 'other');
    for (const kind of ['match', 'other', 'empty']) {
      const bins = [...done.receiver.table.bins.entries()].filter(([bin, element]) => kindOf(element, bin) === kind);
      const nibbles = bins.flatMap(([bin]) => {
        const word = words!.words[bin]!;
        return Array.from({ length: 16 }, (_, i) => Number((word >> BigInt(4 * i)) & 15n));
      });
      const marks = bins.flatMap(([bin]) => flags.map((bits) => bits[bin]!));
      const bits = bins.map(([bin]) => unpackBits(done.receiver.bits)[bin]!);
      expect(fit(nibbles, () => 1 / 16, 0, 15).chiSquare).toBeGreaterThan(1e-5);
      for (const each of [marks, bits]) expect(fit(each, () => 1 / 2, 0, 1).chiSquare).toBeGreaterThan(1e-5);
    }
  });
});

describe('what the receiver decodes', () => {
  it('is uniform in every bit of a block, what pads it too, at elements that both have', async () => {
    // Without a payload half of a block is padding.
    const common = setsOf(seededRng(5), 400, 400, 400, [], 0);
    let decoded = new Uint8Array(0);
    const view = lockstep(['a', 'b'], async (parent) => {
      if (parent.self === 'a') {
        const input = { ...common, elements: common.sender, peerCount: 400 };
        return sendMatches(parent, 'b', idealSender(parent.fork('ideal'), 'b', 1), input, seededRng(2));
      }
      const source = idealReceiver(parent.fork('ideal'), 'a', 1);
      const ch = parent.fork('circuit-psi');
      const seeds = await toss(ch, 'a', 48, seededRng(3));
      const { bins } = cuckooTable(common.receiver, seeds.subarray(0, 16));
      const keys = concat(
        ...[...bins.entries()].flatMap(([bin, element]) => {
          if (element < 0) return [];
          const key = common.receiver.slice(16 * element, 16 * element + 16);
          new DataView(key.buffer).setUint32(0, new DataView(key.buffer).getUint32(0, true) ^ bin, true);
          return [key];
        }),
      );
      const outputs = await recvOprf(ch.fork('oprf'), 'a', source.vole, keys, seeds.slice(16, 32), seededRng(4));
      await ch.send('a', 'circuit-psi/ready', Uint8Array.of(0));
      const question = { keys, outputs, count: 1200, blocks: 1, seed: seeds.slice(32), first: 0 };
      decoded = Uint8Array.from(await recvOpprf(ch.fork('hint/0'), 'a', question));
      return undefined;
    });
    await expect(view).rejects.toThrow('nothing is under way');
    expect(decoded.length).toBe(16 * 400);
    for (let place = 0; place < 16; place++) {
      const bytes = Array.from({ length: 400 }, (_, i) => decoded[16 * i + place]!);
      for (const shift of [0, 4]) {
        const nibbles = bytes.map((byte) => (byte >> shift) & 15);
        expect(fit(nibbles, () => 1 / 16, 0, 15).chiSquare).toBeGreaterThan(1e-5);
      }
    }
  });
});

describe('matches that cannot be found', () => {
  const sets = setsOf(seededRng(4), 10, 10, 5, [Z2_64], 0);

  /** How each end ended. */
  async function refusals(own: Sets, changes: Changes = {}): Promise<unknown[]> {
    const errors: unknown[] = [];
    const noted = (error: unknown) => {
      errors.push(error);
      throw error;
    };
    const rings = own.words.map(({ ring }) => ring);
    await lockstep(['a', 'b'], async (ch) => {
      if (ch.self === 'b') {
        const source = idealReceiver(ch.fork('ideal'), 'a', 1);
        const input = { elements: own.receiver, peerCount: changes.senderCount ?? 10, rings, flags: 0 };
        const end = changes.receiverSource?.(source) ?? source;
        return recvMatches(ch, 'a', end, input, seededRng(1)).catch(noted);
      }
      const source = idealSender(ch.fork('ideal'), 'b', 1);
      const input = { ...own, elements: own.sender, peerCount: own.receiver.length / 16 };
      return sendMatches(ch, 'b', source, input, changes.senderRng ?? seededRng(2)).catch(noted);
    }).catch(() => undefined);
    return errors;
  }

  it('end both ends alike where the table is full', async () => {
    // Four of the same are no set, and have three bins.
    const same = sets.receiver.subarray(0, 16);
    const full = { ...sets, receiver: concat(same, same, same, same) };
    expect(await refusals(full)).toEqual([code('CUCKOO_FULL'), code('CUCKOO_FULL')]);
  });

  it('end both ends alike where the store of the function is full', async () => {
    const extend = () => Promise.reject(new ProtocolError('OKVS_FULL'));
    const receiverSource = (source: ReceiverSource): ReceiverSource => ({ ...source, vole: { extend } });
    expect(await refusals(sets, { receiverSource })).toEqual([code('OKVS_FULL'), code('OKVS_FULL')]);
  });

  it('end both ends alike where the hint is full', async () => {
    // Coins are drawn for the toss, for the masks, and for the store.
    const coins = seededRng(2);
    let draws = 0;
    const senderRng: Rng = (bytes) => {
      draws += 1;
      if (draws === 4) throw new ProtocolError('OKVS_FULL');
      return coins(bytes);
    };
    expect(await refusals(sets, { senderRng })).toEqual([code('OKVS_FULL'), code('OKVS_FULL')]);
  });

  it('are refused where the sets have other sizes than agreed', async () => {
    expect(await refusals(sets, { senderCount: 9 })).toContainEqual(code('TOO_LARGE'));
    expect(await refusals(sets, { senderCount: 11 })).toContainEqual(code('BAD_MESSAGE'));
    const odd = { ...sets, words: [fromBytes(Z2_64, new Uint8Array(72), 9)] };
    expect(await refusals(odd)).toContainEqual(code('LENGTHS_DIFFER'));
  });

  it('are refused where the receiver says what means nothing', async () => {
    const errors: unknown[] = [];
    await lockstep(['a', 'b'], async (ch) => {
      if (ch.self === 'a') {
        const input = { ...sets, elements: sets.sender, peerCount: 10 };
        await sendMatches(ch, 'b', idealSender(ch.fork('ideal'), 'b', 1), input, seededRng(2)).catch((error) => {
          errors.push(error);
        });
        return;
      }
      const own = ch.fork('circuit-psi');
      await toss(own, 'a', 48, seededRng(1));
      await own.send('a', 'circuit-psi/ready', Uint8Array.of(3));
    });
    expect(errors).toEqual([code('BAD_MESSAGE')]);
  });
});
