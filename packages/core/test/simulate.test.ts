import { describe, expect, it } from 'vitest';
import { fromHex, utf8 } from '../src/algebra/bytes.ts';
import { seededRng } from '../src/algebra/prg.ts';
import {
  addInto,
  bytesOf,
  fromBytes,
  fromIntegers,
  toIntegers,
  type Vector,
  vector,
  Z2_64,
} from '../src/algebra/ring.ts';
import type { Channel, PartyId } from '../src/channel/channel.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { SessionChannel } from '../src/channel/session.ts';
import { type Faults, type SimulateOptions, type Simulation, simulate } from '../src/channel/simulate.ts';
import { elements, exchange } from '../src/protocols/message.ts';
import { type Opening, open, openTogether, verifyOpenings } from '../src/protocols/open.ts';
import { jointSum, open as openShares } from '../src/sharing/additive.ts';
import { partyNames } from './channels.ts';
import { idealSignatures, idealVerify } from './signatures.ts';

const job = new Uint8Array(32).fill(5);
const acceptances = new Uint8Array(32).fill(9);

/** What each party brings, and what they must all get. */
const inputOf = (party: PartyId) => [BigInt(party.length), -1000n, BigInt(party.charCodeAt(0)) << 40n];

/** The road to the analyst: a joint sum, committed, signed and released (in clear here, where it would be sealed). */
async function road(ch: Channel): Promise<Opening> {
  const share = jointSum(ch, 'x', fromIntegers(Z2_64, inputOf(ch.self)));
  const signatures = idealSignatures(ch.self);
  return open(ch, { sealed: bytesOf(share), acceptances, signatures, durable: async () => {} });
}

/** The road to the parties themselves, twice, so that messages of two openings could be taken for one another. */
async function together(ch: Channel): Promise<bigint[]> {
  const rng = seededRng(ch.self.charCodeAt(0));
  const first = await openTogether(ch, jointSum(ch, 'x', fromIntegers(Z2_64, inputOf(ch.self))), rng);
  const second = await openTogether(ch, jointSum(ch, 'y', fromIntegers(Z2_64, [1n, 2n, 3n])), rng);
  return [...toIntegers(first), ...toIntegers(second)];
}

/** Four rounds under one label and no commitments: nothing but the channel keeps these messages apart. */
async function bareRounds(ch: Channel): Promise<bigint[]> {
  const Value = elements('value', Z2_64, 1);
  const sums: bigint[] = [];
  for (let round = 1n; round <= 4n; round++) {
    const sum = vector(Z2_64, 1);
    const mine = fromIntegers(Z2_64, [round * BigInt(ch.self.charCodeAt(0))]);
    for (const value of (await exchange(ch, Value, mine)).values()) addInto(sum, value);
    sums.push(...toIntegers(sum));
  }
  return sums;
}

const sumOf = (vectors: bigint[][]) => vectors[0]!.map((_, i) => vectors.reduce((sum, each) => sum + each[i]!, 0n));
const parties = ['a', 'bb', 'ccc'];
const expectedSum = sumOf(parties.map(inputOf));
const expectedTogether = [...expectedSum, 3n, 6n, 9n];
const expectedRounds = [1n, 2n, 3n, 4n].map((round) => round * BigInt(97 + 98 + 99));

/** The relation of every run: each party has the right result or a typed error. */
function expectRightOrTyped<T>({ outcomes }: Simulation<T>, isRight: (value: T) => boolean): void {
  for (const outcome of outcomes.values()) {
    if ('error' in outcome) expect(outcome.error).toBeInstanceOf(ProtocolError);
    else expect(isRight(outcome.value)).toBe(true);
  }
}

function isWhole<T>({ outcomes }: Simulation<T>): boolean {
  return [...outcomes.values()].every((outcome) => 'value' in outcome);
}

/** The analyst reads the answer where all openings came, and it is the right one. */
function expectRoad(simulation: Simulation<Opening>): void {
  expectRightOrTyped(simulation, (opening) => parties.includes(opening.party));
  if (!isWhole(simulation)) return;
  const openings = [...simulation.outcomes.values()].map((outcome) => (outcome as { value: Opening }).value);
  verifyOpenings({ job, attempt: 1, roster: parties }, acceptances, openings, idealVerify);
  const shares = openings.map(({ sealed }): Vector => fromBytes(Z2_64, sealed, expectedSum.length));
  expect(toIntegers(openShares(shares))).toEqual(expectedSum);
}

const equals = (expected: bigint[]) => (value: bigint[]) => value.every((each, i) => each === expected[i]);

function runRoad(seed: number, faults: Faults = {}): Promise<Simulation<Opening>> {
  return simulate({ parties, seed, faults, context: { job, attempt: 1 } }, road);
}

const fates: Record<string, Faults> = {
  loss: { loss: 0.08 },
  repetition: { repeat: 0.1 },
  reordering: { reorder: 0.5 },
  corruption: { corrupt: 0.08 },
  cutting: { cut: 0.08 },
  everything: { loss: 0.02, repeat: 0.02, reorder: 0.1, delay: 0.2, corrupt: 0.02, cut: 0.02 },
};

describe('on a network without faults', () => {
  it('is right in every order of delivery (300 seeds)', async () => {
    for (let seed = 0; seed < 300; seed++) {
      const simulation = await runRoad(seed);
      expect(isWhole(simulation)).toBe(true);
      expectRoad(simulation);
      expect(simulation.rounds).toBe(2);
      expect(simulation.bytes).toEqual({ a: 192, bb: 192, ccc: 192 });
      expect(simulation.messages).toBe(12);
    }
  });

  it('is right when links rest, at the same cost (200 seeds)', async () => {
    for (let seed = 0; seed < 200; seed++) {
      const simulation = await simulate({ parties, seed, faults: { delay: 0.5 } }, together);
      expect(isWhole(simulation)).toBe(true);
      expectRightOrTyped(simulation, equals(expectedTogether));
      expect(simulation.rounds).toBe(4);
    }
  });

  it('is right for two parties and for twelve', async () => {
    for (const count of [2, 12]) {
      const simulation = await simulate({ parties: partyNames(count), seed: 1 }, together);
      expect(isWhole(simulation)).toBe(true);
      const expected = [...sumOf(partyNames(count).map(inputOf)), ...[1n, 2n, 3n].map((each) => each * BigInt(count))];
      expectRightOrTyped(simulation, equals(expected));
    }
  });
});

describe('on a network with faults', () => {
  for (const [fate, faults] of Object.entries(fates)) {
    it(`ends right or in a typed error under ${fate} (150 seeds)`, async () => {
      let failed = 0;
      for (let seed = 0; seed < 150; seed++) {
        const opened = await runRoad(seed, faults);
        expectRoad(opened);
        const learned = await simulate({ parties, seed, faults }, together);
        expectRightOrTyped(learned, equals(expectedTogether));
        const summed = await simulate({ parties, seed, faults }, bareRounds);
        expectRightOrTyped(summed, equals(expectedRounds));
        if (!isWhole(summed)) failed += 1;
      }
      // The faults do happen, and not always.
      expect(failed).toBeGreaterThan(10);
      expect(failed).toBeLessThan(150);
    });
  }

  it('ends for the others wherever a party stops, right or in a typed error', async () => {
    let stalled = 0;
    for (const party of parties) {
      for (let atStep = 1; atStep <= 9; atStep++) {
        for (let seed = 0; seed < 10; seed++) {
          const simulation = await runRoad(seed, { crash: { party, atStep } });
          expectRoad(simulation);
          const outcome = simulation.outcomes.get(party)!;
          // A party of three has 8 sends and receives in an opening, so at its ninth step it has ended.
          if (atStep === 9) expect(isWhole(simulation)).toBe(true);
          else expect(outcome).toEqual({ error: expect.objectContaining({ code: 'PARTY_FAILED', party }) });
          for (const other of simulation.outcomes.values()) {
            if ('error' in other && (other.error as ProtocolError).code === 'STALLED') stalled += 1;
          }
        }
      }
    }
    expect(stalled).toBeGreaterThan(100);
  });
});

describe('the simulator', () => {
  it('replays a seed, and finds other orders under other seeds', async () => {
    const orderOf = async (seed: number): Promise<string> => {
      const order: string[] = [];
      await simulate({ parties: ['a', 'b', 'c', 'd'], seed }, async (ch) => {
        if (ch.self !== 'a') return ch.send('a', 'm', utf8(ch.self));
        await Promise.all(ch.peers.map(async (peer) => order.push(String(await ch.recv(peer, 'm', 1)))));
      });
      return order.join(' ');
    };
    const orders: string[] = [];
    for (let seed = 0; seed < 60; seed++) orders.push(await orderOf(seed));
    expect(new Set(orders).size).toBe(6);
    expect(await orderOf(17)).toBe(orders[17]);
  });

  it('ends what nobody answers as STALLED', async () => {
    const { outcomes } = await simulate({ parties: ['a', 'b'], seed: 1 }, (ch) => ch.recv(ch.peers[0]!, 'm', 1));
    for (const outcome of outcomes.values())
      expect(outcome).toEqual({ error: expect.objectContaining({ code: 'STALLED' }) });
  });

  it('ends a program as STALLED that waits for something that is not its channel', async () => {
    const { outcomes } = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch) => {
      if (ch.self === 'a') await new Promise(() => {});
      return ch.recv(ch.peers[0]!, 'm', 1);
    });
    for (const outcome of outcomes.values())
      expect(outcome).toEqual({ error: expect.objectContaining({ code: 'STALLED' }) });
  });

  it('waits for work outside the channel that takes its time', async () => {
    const settle = () => new Promise<void>((resolve) => setTimeout(resolve, 1));
    const { outcomes } = await simulate({ parties, seed: 1, settle }, async (ch) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return together(ch);
    });
    for (const outcome of outcomes.values()) expect(outcome).toEqual({ value: expectedTogether });
  });

  it('tells the peers of a program that failed, behind what it had sent', async () => {
    const { outcomes } = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch) => {
      if (ch.self === 'a') {
        await ch.send('b', 'm', utf8('x'));
        throw new Error('of its own');
      }
      const first = String(await ch.recv('a', 'm', 1));
      await expect(ch.recv('a', 'm', 1)).rejects.toMatchObject({ code: 'PARTY_FAILED', party: 'a' });
      return first;
    });
    expect(outcomes.get('a')).toEqual({ error: new Error('of its own') });
    expect(outcomes.get('b')).toEqual({ value: '120' });
  });

  it('counts a round for each message that depends on one before, and none for those that do not', async () => {
    const chain = await simulate({ parties: ['a', 'b', 'c'], seed: 1 }, async (ch) => {
      const [previous, next] = { a: [undefined, 'b'], b: ['a', 'c'], c: ['b', undefined] }[ch.self]!;
      if (previous !== undefined) await ch.recv(previous, 'm', 5);
      if (next !== undefined) await ch.send(next, 'm', new Uint8Array(5));
    });
    expect([chain.rounds, chain.bytes, chain.messages]).toEqual([2, { a: 5, b: 5, c: 0 }, 2]);

    const fan = await simulate({ parties: ['a', 'b', 'c'], seed: 1 }, async (ch) => {
      for (const peer of ch.peers)
        for (let i = 0; i < 3; i++) await ch.fork(`${i} of ${peer}`).send(peer, 'm', new Uint8Array(1));
    });
    expect([fan.rounds, fan.messages]).toEqual([1, 18]);
  });
});

describe('a mutant is noticed', () => {
  /** How many of the seeds end in a result that is wrong. */
  async function wrongResults<T>(
    options: Omit<SimulateOptions, 'seed' | 'parties'>,
    program: (ch: Channel) => Promise<T>,
    isRight: (value: T) => boolean,
  ): Promise<number> {
    let wrong = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { outcomes } = await simulate({ parties, seed, ...options }, program);
      if ([...outcomes.values()].some((outcome) => 'value' in outcome && !isRight(outcome.value))) wrong += 1;
    }
    return wrong;
  }

  it('that ignores the sequence of records', async () => {
    class Unsequenced extends SessionChannel {
      readonly #counts = new Map<string, bigint>();

      override deliver(peer: PartyId, record: Uint8Array): void {
        const renumbered = new Uint8Array(record);
        const key = `${peer} ${renumbered.subarray(0, 8)}`;
        const count = this.#counts.get(key) ?? 0n;
        this.#counts.set(key, count + 1n);
        new DataView(renumbered.buffer).setBigUint64(16, count, true);
        super.deliver(peer, renumbered);
      }
    }
    const faults = { repeat: 0.05, reorder: 0.2, loss: 0.02 };
    const isRight = equals(expectedRounds);
    expect(await wrongResults({ faults }, bareRounds, isRight)).toBe(0);
    expect(await wrongResults({ faults, channel: (o) => new Unsequenced(o) }, bareRounds, isRight)).toBeGreaterThan(0);
  });

  it('that ignores the labels of messages', async () => {
    class Unlabelled extends SessionChannel {
      override send(to: PartyId, _label: string, message: Uint8Array): Promise<void> {
        return super.send(to, '', message);
      }
      override recv(from: PartyId, _label: string, bytesMax: number): Promise<Uint8Array> {
        return super.recv(from, '', bytesMax);
      }
    }
    // One party runs another build, which sends its two values in the other order.
    const program = async (ch: Channel): Promise<bigint[]> => {
      const labels = ch.self === 'a' ? ['weight', 'height'] : ['height', 'weight'];
      const sums = new Map<string, bigint>();
      for (const label of labels) {
        const values = await exchange(
          ch,
          elements(label, Z2_64, 1),
          fromIntegers(Z2_64, [BigInt(label.charCodeAt(0))]),
        );
        sums.set(
          label,
          [...values.values()].reduce((sum, each) => sum + toIntegers(each)[0]!, 0n),
        );
      }
      return [sums.get('height')!, sums.get('weight')!];
    };
    const isRight = equals(['h', 'w'].map((letter) => 3n * BigInt(letter.charCodeAt(0))));
    expect(await wrongResults({}, program, isRight)).toBe(0);
    expect(await wrongResults({ channel: (o) => new Unlabelled(o) }, program, isRight)).toBeGreaterThan(0);
  });

  it('that opens together without checking the commitments', async () => {
    // A party waits for the others' shares and then chooses its own so that the sum is what it likes.
    const Share = elements('open-together/share', Z2_64, 5);
    const cheat = async (ch: Channel): Promise<bigint[]> => {
      for (const peer of ch.peers) await ch.send(peer, 'open-together/commitment', new Uint8Array(32));
      for (const peer of ch.peers) await ch.recv(peer, 'open-together/commitment', 32);
      // 32 bytes of salt are four words; the fifth is the share.
      const seen: bigint[] = [];
      for (const peer of ch.peers) seen.push(fromBytes(Z2_64, await ch.recv(peer, Share.label, 40), 5).words[4]!);
      const wanted = BigInt.asIntN(64, 42n - seen[0]! - seen[1]!);
      for (const peer of ch.peers)
        await ch.send(peer, Share.label, bytesOf(fromIntegers(Z2_64, [0n, 0n, 0n, 0n, wanted])));
      return [6n];
    };
    const unchecked = async (ch: Channel, share: Vector): Promise<Vector> => {
      await exchange(ch, elements('open-together/commitment', Z2_64, 4), vector(Z2_64, 4));
      const words = [0n, 0n, 0n, 0n, ...toIntegers(share)];
      const revealed = await exchange(ch, Share, fromIntegers(Z2_64, words));
      return openShares(Array.from(revealed.values(), (each) => ({ ring: Z2_64, words: each.words.slice(4) })));
    };
    const withCheat = (opening: (ch: Channel, share: Vector) => Promise<Vector>) => async (ch: Channel) => {
      if (ch.self === 'a') return cheat(ch);
      return toIntegers(await opening(ch, jointSum(ch, 'x', fromIntegers(Z2_64, [2n]))));
    };
    const isRight = equals([6n]);
    const ours = withCheat((ch, share) => openTogether(ch, share, seededRng(1)));
    expect(await wrongResults({}, ours, isRight)).toBe(0);
    expect(await wrongResults({}, withCheat(unchecked), isRight)).toBe(100);
  });

  it('that releases its share without the signatures of all', async () => {
    // A party tells each peer of another commitment, to have two lists in the world.
    const equivocate = async (ch: Channel): Promise<string> => {
      const fork = ch.fork('open');
      for (const [i, peer] of fork.peers.entries())
        await fork.send(peer, 'open/commitment', new Uint8Array(32).fill(i));
      for (const peer of fork.peers) await fork.send(peer, 'open/signature', new Uint8Array(64));
      return '';
    };
    const listOf = ({ commitments }: Opening) => Object.values(commitments).join(' ');
    const hasTwoLists = async (opening: (ch: Channel) => Promise<Opening>, seed: number): Promise<boolean> => {
      const program = async (ch: Channel) => (ch.self === 'a' ? equivocate(ch) : listOf(await opening(ch)));
      const { outcomes } = await simulate({ parties, seed }, program);
      const lists = [...outcomes.values()].flatMap((outcome) =>
        'value' in outcome && outcome.value ? [outcome.value] : [],
      );
      return new Set(lists).size > 1;
    };
    const trusting = (ch: Channel): Promise<Opening> => {
      const signatures = { ...idealSignatures(ch.self), verify: () => true };
      return open(ch, { sealed: fromHex('00'), acceptances, signatures, durable: async () => {} });
    };
    for (let seed = 0; seed < 20; seed++) {
      expect(await hasTwoLists(road, seed)).toBe(false);
      expect(await hasTwoLists(trusting, seed)).toBe(true);
    }
  });

  it('that shares with one key for both directions', async () => {
    const undirected = async (ch: Channel): Promise<bigint[]> => {
      const own = fromIntegers(Z2_64, inputOf(ch.self));
      const used = new Map<PartyId, Uint8Array>();
      const bare: Channel = {
        ...ch,
        deriveKey: (owner, holder, label) => {
          const [first, second] = [owner, holder].sort() as [PartyId, PartyId];
          const peer = owner === ch.self ? holder : owner;
          const key = used.get(peer) ?? ch.deriveKey(first, second, label);
          used.set(peer, key);
          return key;
        },
      };
      return toIntegers(jointSum(bare, 'x', own));
    };
    const { outcomes } = await simulate({ parties, seed: 1 }, undirected);
    for (const outcome of outcomes.values()) {
      expect(outcome).toEqual({ error: expect.objectContaining({ code: 'SAME_KEY_BOTH_WAYS' }) });
    }
  });
});
