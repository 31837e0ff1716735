/**
 * Joins of random sides, their sums on shares, and the same by a loop over all pairs of rows.
 * @module
 */
import { expect } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { type Ring, toIntegers, Z2_64, Z2_128 } from '../src/algebra/ring.ts';
import { type JoinPlan, joinPlan } from '../src/engine/join-plan.ts';
import { joinSums } from '../src/engine/join-sums.ts';
import { idealReceiver, idealSender } from '../src/protocols/ideal-pair.ts';
import type { Feature, JoinQuery, JoinTerm, SideName, SideQuery } from '../src/query/join-query.ts';
import type { SideSet } from '../src/query/side-set.ts';
import { open } from '../src/sharing/additive.ts';
import { lockstep } from './lockstep.ts';

/** Elements of each side. */
export const elements = 40;

export interface Drawn {
  readonly count: number;
  readonly query: JoinQuery;
  readonly sets: Readonly<Record<SideName, SideSet>>;
  readonly rings: readonly Ring[];
}

/** Chance that a property's seed decides. */
class Chance {
  readonly #next: (bytes: number) => Uint8Array;

  constructor(seed: number) {
    this.#next = seededRng(seed);
  }

  below(limit: number): number {
    return new DataView(this.#next(4).slice().buffer).getUint32(0) % limit;
  }
}

function drawSide(chance: Chance, party: string): SideQuery {
  const cells = [1, 1, 2, 3][chance.below(4)]!;
  const rowsPerKey = [1, 1, 2][chance.below(3)]!;
  const one: Feature = {
    of: rowsPerKey === 1 ? 'rows' : 'people',
    product: [],
    where: { kind: 'true' },
    min: 1n,
    max: 1n,
  };
  const flag: Feature = { of: 'rows', product: [], where: { kind: 'present', column: 'x' }, min: 0n, max: 1n };
  const person: Feature = { ...flag, of: 'people' };
  const rows: Feature = { ...one, of: 'rows' };
  const word: Feature = { of: 'rows', product: ['x'], where: { kind: 'true' }, min: -7n, max: 1_000_000n };
  const square: Feature = { of: 'rows', product: ['x', 'x'], where: { kind: 'true' }, min: 0n, max: 10n ** 12n };
  return {
    party,
    dataset: { name: party } as SideQuery['dataset'],
    key: 'id',
    rowsPerKey,
    columns: ['x'],
    where: { kind: 'true' },
    groups: [],
    cells,
    features: [one, flag, person, rows, word, square],
  };
}

function drawSet(chance: Chance, side: SideQuery, people: readonly number[], count: number): SideSet {
  const elements = new Uint8Array(16 * count);
  for (let i = 0; i < count; i++) {
    const id = i < people.length ? people[i]! : (side.party === 'camden' ? 2 ** 30 : 2 ** 31) + i;
    // Elements look random.
    elements.set(seededRng(id)(16), 16 * i);
  }
  const cells = new Int32Array(side.rowsPerKey * count).fill(-1);
  const features = side.features.map(() => new BigInt64Array(cells.length));
  for (let i = 0; i < people.length; i++) {
    const rows = 1 + chance.below(side.rowsPerKey);
    for (let slot = 0; slot < rows; slot++) {
      const at = slot * count + i;
      cells[at] = chance.below(side.cells);
      const isFirst = slot === 0 || cells[i] !== cells[at];
      const present = BigInt(chance.below(2));
      const values = [
        side.rowsPerKey === 1 || isFirst ? 1n : 0n,
        present,
        isFirst ? present : 0n,
        1n,
        BigInt(chance.below(1_000_007) - 7),
      ];
      values.push(values.at(-1)! ** 2n);
      for (const [feature, value] of values.entries()) features[feature]![at] = value;
    }
  }
  return { elements, keys: people.length, slots: side.rowsPerKey, cells, features, rows: new Int32Array(count) };
}

/** What a seed makes of a join; `ask` gives other terms, as features of the left and of the right. */
export function draw(seed: number, count = elements, ask?: readonly (readonly [left: number, right: number])[]): Drawn {
  const chance = new Chance(seed);
  const [left, right] = [drawSide(chance, 'camden'), drawSide(chance, 'health')];
  const statistics = ask?.length ?? 1 + chance.below(5);
  const terms: JoinTerm[] =
    ask?.map(([left, right], statistic) => ({ statistic, left, right })) ??
    Array.from({ length: statistics + chance.below(2) }, (_, at) => ({
      statistic: Math.min(at, statistics - 1),
      left: chance.below(left.features.length),
      right: chance.below(right.features.length),
    }));
  // The job's cells in another order than either side's.
  const cellOf = Int32Array.from({ length: left.cells * right.cells }, (_, at) => left.cells * right.cells - 1 - at);
  const overlap = chance.below(20);
  const people = (from: number) => Array.from({ length: 20 + overlap }, (_, i) => from + i);
  const [mine, theirs] = [people(0), people(20)];
  return {
    count,
    query: { left, right, terms, cellOf },
    sets: { left: drawSet(chance, left, mine, count), right: drawSet(chance, right, theirs, count) },
    rings: Array.from({ length: statistics }, (_, at) => {
      // Products of both sides' numbers do not fit 64 bits.
      const isWide = terms.some(({ statistic, left, right }) => statistic === at && left > 3 && right > 3);
      return isWide || chance.below(3) === 0 ? Z2_128 : Z2_64;
    }),
  };
}

/** The plain reading: every pair of rows whose elements are alike. */
export function plainSums({ count, query, sets: { left, right }, rings }: Drawn): bigint[][] {
  const cells = query.left.cells * query.right.cells;
  const sums = rings.map(() => new Array<bigint>(cells).fill(0n));
  const name = (set: SideSet, i: number) => set.elements.subarray(16 * i, 16 * i + 16).join();
  const places = new Map(Array.from({ length: count }, (_, i) => [name(right, i), i]));
  for (let i = 0; i < count; i++) {
    const j = places.get(name(left, i));
    if (j === undefined) continue;
    for (let x = i; x < left.cells.length; x += count) {
      for (let y = j; y < right.cells.length; y += count) {
        if (left.cells[x]! < 0 || right.cells[y]! < 0) continue;
        const cell = query.cellOf[left.cells[x]! * query.right.cells + right.cells[y]!]!;
        for (const term of query.terms) {
          sums[term.statistic]![cell]! += left.features[term.left]![x]! * right.features[term.right]![y]!;
        }
      }
    }
  }
  return sums;
}

/** A plan with either side as the receiver, whichever has more cells. */
export function planOf({ query, rings }: Drawn, seed: number): JoinPlan {
  return joinPlan(query, rings, seed % 2 === 0 ? 'left' : 'right');
}

/** Both sides, in a network that delivers round by round: their sums, and what these cost. */
export async function run(drawn: Drawn, seed: number) {
  const { count, query, sets, rings } = drawn;
  const plan = planOf(drawn, seed);
  const { values, rounds, bytes } = await lockstep(['camden', 'health'], async (ch) => {
    const side: SideName = ch.self === 'camden' ? 'left' : 'right';
    const peer = ch.peers[0]!;
    const given = { plan, set: sets[side], peerCount: count, rings, cells: query.left.cells * query.right.cells };
    const ends =
      side === plan.receiver
        ? { role: 'receiver' as const, source: idealReceiver(ch, peer, seed) }
        : { role: 'sender' as const, source: idealSender(ch, peer, seed) };
    const shares = await joinSums(ch, peer, ends, given, seededRng(seed + (side === 'left' ? 1 : 2)));
    return { shares, taken: ends.source.taken };
  });
  const [mine, theirs] = values;
  const sums = mine!.shares.map((share, at) => toIntegers(open([share, theirs!.shares[at]!])));
  expect(mine!.taken).toEqual(theirs!.taken);
  return { sums, rounds, bytes: bytes.camden! + bytes.health!, taken: mine!.taken };
}
