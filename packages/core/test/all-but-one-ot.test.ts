/**
 * Placement of shared values in cells that one party knows.
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
import type { Channel } from '../src/channel/channel.ts';
import type { SessionChannel } from '../src/channel/session.ts';
import { placedCost, recvPlaced, sendPlaced } from '../src/protocols/all-but-one-ot.ts';
import { OtReceiver, OtSender } from '../src/protocols/ot-extension.ts';
import { extensionBytes, treesBytes } from '../src/protocols/softspoken-ot.ts';
import { channels } from './channels.ts';
import { fit } from './goodness.ts';
import { lockstep } from './lockstep.ts';
import { bit, idealBaseOts } from './relations.ts';

const options = { extension: 'softspoken', k: 2, base: idealBaseOts } as const;
const rng = seededRng(1);

const randomVector = (ring: Ring, count: number): Vector => fromBytes(ring, rng(8 * ring.limbs * count), count);

function randomPlaces(count: number, cells: number): Int32Array {
  return Int32Array.from(new Uint16Array(rng(2 * count).slice().buffer), (word) => (word % (cells + 1)) - 1);
}

/** The sums in plain. */
function placed(v: Vector, places: Int32Array, cells: number): bigint[] {
  const sums = new Array<bigint>(cells).fill(0n);
  for (const [i, value] of toIntegers(v).entries()) {
    const place = places[i]!;
    if (place >= 0) sums[place] = BigInt.asIntN(v.ring.bits, sums[place]! + value);
  }
  return sums;
}

function program(shares: readonly (readonly Vector[])[], places: Int32Array, cells: number) {
  return async (ch: Channel): Promise<Vector[]> => {
    if (ch.self === 'a') return sendPlaced(await OtSender.open(ch, 'b', seededRng(2), options), shares[0]!, cells);
    return recvPlaced(await OtReceiver.open(ch, 'a', seededRng(3), options), shares[1]!, places, cells);
  };
}

describe('placement', () => {
  for (const [cells, count, rings] of [
    [1, 9, [Z2_64]],
    [2, 100, [Z2_64]],
    [3, 64, [Z2_128]],
    [4, 333, [Z2_64, Z2_192]],
    [33, 1000, [Z2_64, Z2_64, Z2_128]],
    [1000, 700, [Z2_64]],
    [1024, 9, [Z2_192, Z2_192]],
    [5, 0, [Z2_64]],
  ] as const) {
    const names = rings.map(({ name }) => name).join(', ');
    it(`adds up ${count} values over ${names} in ${cells} cells, at the stated cost`, async () => {
      const shares = [0, 1].map(() => rings.map((ring) => randomVector(ring, count)));
      const places = randomPlaces(count, cells);
      const { values, rounds, bytes } = await lockstep(['a', 'b'], program(shares, places, cells));
      for (const i of rings.keys()) {
        const v = add(shares[0]![i]!, shares[1]![i]!);
        expect(toIntegers(add(values[0]![i]!, values[1]![i]!))).toEqual(placed(v, places, cells));
      }
      const cost = placedCost(count, rings, cells);
      expect(bytes.a).toBe(cost.bytes);
      expect(bytes.b).toBe(treesBytes(2) + (count > 0 ? extensionBytes(cost.ots, 2, 'given') : 0));
      expect(rounds).toBe(Math.max(1, cost.rounds));
    });
  }

  it('leaves out what has no cell, at both ends', async () => {
    const shares = [0, 1].map(() => [randomVector(Z2_64, 50)]);
    const { values } = await lockstep(['a', 'b'], program(shares, new Int32Array(50).fill(-1), 3));
    expect(toIntegers(add(values[0]![0]!, values[1]![0]!))).toEqual([0n, 0n, 0n]);
  });

  it('leaves each party with sums that look random', async () => {
    const zeros = [0, 1].map(() => [vector(Z2_128, 3)]);
    const { values } = await lockstep(['a', 'b'], program(zeros, Int32Array.of(0, 5, 5), 1000));
    for (const [sums] of values) expect(new Set(sums!.words).size).toBe(2000);
  });

  it('sends the sender rotations that are as even for one cell as for any', async () => {
    const [count, cells, levels] = [4096, 7, 3];
    for (const place of [-1, 0, 6]) {
      const sent: Uint8Array[] = [];
      const all: SessionChannel[] = channels(['a', 'b'], {
        write(from, to, record) {
          if (from === 'b') sent.push(record.slice(24));
          all.find(({ self }) => self === to)!.deliver(from, record);
        },
      });
      const silent = { extension: 'silent', base: idealBaseOts } as const;
      const shares = [vector(Z2_64, count)];
      await Promise.all([
        OtSender.open(all[0]!, 'b', seededRng(2), silent).then((session) => sendPlaced(session, shares, cells)),
        OtReceiver.open(all[1]!, 'a', seededRng(3), silent).then((session) => {
          return recvPlaced(session, shares, new Int32Array(count).fill(place), cells);
        }),
      ]);
      const choices = sent.at(-1)!;
      expect(choices.length).toBe((levels * count) / 8);
      const rotations = Array.from({ length: count }, (_, j) => {
        return bit(choices, j) + 2 * bit(choices, count + j) + 4 * bit(choices, 2 * count + j);
      });
      expect(fit(rotations, () => 1 / 8, 0, 7).chiSquare).toBeGreaterThan(1e-4);
    }
  });

  it('goes in calls that hold so many rows', () => {
    expect(placedCost(2 ** 18, [Z2_64], 63).rounds).toBe(2);
    expect(placedCost(2 ** 20, [Z2_64], 63).rounds).toBe(8);
    expect(placedCost(1000, [], 63)).toEqual({ rounds: 0, bytes: 0, ots: 0 });
  });

  it('refuses an answer of another size, more cells than trees have, and places of another number', async () => {
    const code = (name: string) => expect.objectContaining({ code: name });
    const both = (own: number, other: number) => {
      return lockstep(['a', 'b'], async (ch) => {
        if (ch.self === 'a') {
          const session = await OtSender.open(ch, 'b', seededRng(2), options);
          return sendPlaced(session, Array(own).fill(vector(Z2_64, 8)), 3);
        }
        const session = await OtReceiver.open(ch, 'a', seededRng(3), options);
        return recvPlaced(session, Array(other).fill(vector(Z2_64, 8)), new Int32Array(8), 3);
      });
    };
    await expect(both(1, 2)).rejects.toThrow(code('BAD_MESSAGE'));
    await expect(both(2, 1)).rejects.toThrow(code('TOO_LARGE'));
    await expect(lockstep(['a', 'b'], program([[vector(Z2_64, 8)], []], new Int32Array(0), 2048))).rejects.toThrow(
      code('OVER_LIMIT'),
    );
    const session = {} as OtReceiver;
    const recv = (places: Int32Array) => recvPlaced(session, [vector(Z2_64, 8)], places, 3);
    await expect(recv(new Int32Array(7))).rejects.toThrow(code('LENGTHS_DIFFER'));
    await expect(recv(new Int32Array(8).fill(4))).rejects.toThrow('a place is a cell');
  });
});
