/**
 * Local results as ring elements: each slot (input-slot.ts) in the smallest ring that its sum over all parties cannot
 * leave.
 *
 * The bounds are public (rows times bounds of columns), so the layout is the same whatever the records hold, and no sum
 * ever wraps: what could is refused here, before anything runs. A wide sum is one element with carries, never separate
 * limbs, since limbs opened apart would reveal more than the sum.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { fromIntegers, length, type Ring, rings, toIntegers, type Vector } from '../algebra/ring.ts';
import { InputError } from '../channel/errors.ts';
import { columnPath, type Dataset } from './dictionary.ts';
import { slots } from './input-slot.ts';
import { type LocalQuery, type LocalResult, type Statistic, statisticBound } from './statistic.ts';

/** The slots that share a ring: one vector, slot by slot, each cell by cell. */
export interface Section {
  readonly label: string;
  readonly ring: Ring;
  /** Indices into the query's slots, which are its statistics in a job without a `top`. */
  readonly statistics: readonly number[];
}

export interface Layout {
  readonly sections: readonly Section[];
  readonly cells: number;
}

/**
 * Which slot goes where. `contributors` are those whose sums are added up.
 * @throws InputError OVERFLOW, naming the column and the bound
 */
export function layout(query: LocalQuery, dataset: Dataset, contributors: readonly string[]): Layout {
  const ringOf = query.statistics.map((statistic) => ringFor(statistic, dataset, contributors.length));
  const chosen = slots(query, contributors).map(({ statistic }) => ringOf[statistic]);
  const sections = rings.map((ring) => ({
    label: `sums/${ring.bits}`,
    ring,
    statistics: chosen.flatMap((own, at) => (own === ring ? [at] : [])),
  }));
  return { sections: sections.filter(({ statistics }) => statistics.length > 0), cells: query.cells };
}

function ringFor(statistic: Statistic, dataset: Dataset, parties: number): Ring {
  const bound = statisticBound(statistic, dataset, parties);
  // Sums are signed: a ring of b bits holds what lies strictly between −2^(b−1) and 2^(b−1).
  const ring = rings.find(({ bits }) => bound < 1n << BigInt(bits - 1));
  if (ring !== undefined) return ring;
  const names = [...new Set(statistic.product)];
  const what =
    statistic.product.length > names.length ? `the square of \`${names[0]}\`` : `\`${names.join('` times `')}\``;
  throw new InputError('OVERFLOW', {
    field: names.map((name) => columnPath(dataset.name, name)).join(', '),
    detail: `a sum of ${what} over ${statistic.of === 'top' ? 1 : parties} times ${dataset.max_rows} rows can reach ${bound}`,
  });
}

/** One party's result, slot by slot, as vectors in the order of the sections. */
export function encode({ sections, cells }: Layout, result: LocalResult): Vector[] {
  return sections.map(({ ring, statistics }) => {
    const integers = statistics.flatMap((at) => result[at]!);
    assert(integers.length === statistics.length * cells, 'a result has one integer for each slot and cell');
    return fromIntegers(ring, integers);
  });
}

/** The integers of opened vectors: `[slot][cell]`. */
export function decode({ sections, cells }: Layout, vectors: readonly Vector[]): bigint[][] {
  assert(vectors.length === sections.length, 'there is a vector for each section');
  const totals: bigint[][] = [];
  sections.forEach(({ ring, statistics }, section) => {
    const vector = vectors[section]!;
    assert(vector.ring === ring && length(vector) === statistics.length * cells, 'a vector is as long as its section');
    const integers = toIntegers(vector);
    statistics.forEach((at, place) => {
      totals[at] = integers.slice(place * cells, (place + 1) * cells);
    });
  });
  return totals;
}

/** The bytes of all vectors together. */
export function bytesOf({ sections, cells }: Layout): number {
  return sections.reduce((sum, { ring, statistics }) => sum + (statistics.length * cells * ring.bits) / 8, 0);
}
