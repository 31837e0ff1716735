/**
 * Results into rings and back: the smallest ring that holds a sum, negative sums, what fits no ring, and slots.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { add } from '../src/algebra/ring.ts';
import { InputError } from '../src/channel/errors.ts';
import { completeDataset, type Dataset, datasetSchema } from '../src/query/dictionary.ts';
import { bytesOf, decode, encode, layout } from '../src/query/encode.ts';
import { inSlots, slots } from '../src/query/input-slot.ts';
import { type LocalQuery, type Statistic, statisticBound } from '../src/query/statistic.ts';

const dataset: Dataset = completeDataset(
  'wide',
  datasetSchema.parse({
    held_by: ['a', 'b', 'c'],
    unit: 'row',
    max_rows: 1_000_000,
    columns: {
      small: { type: 'integer', min: -100, max: 50 },
      large: { type: 'decimal', scale: 9, min: '-10000000000000000', max: '10000000000000000' },
      edge: { type: 'integer', min: 0, max: '9223372036854' },
    },
  }),
);

const three = ['a', 'b', 'c'];
const sum = (...product: string[]): Statistic => ({ of: 'rows', product, where: { kind: 'true' } });
const top = (rank: number, ...product: string[]): Statistic => ({ of: 'top', product, where: { kind: 'true' }, rank });
const queryOf = (statistics: Statistic[], cells: number): LocalQuery => ({
  dataset: 'wide',
  columns: ['small', 'large'],
  where: { kind: 'true' },
  groups: [],
  cells,
  statistics,
  ownParty: null,
});

describe('layout', () => {
  it('gives each sum the smallest ring that its public bound needs', () => {
    const query = queryOf([sum('large', 'large'), sum(), sum('large'), sum('small', 'small')], 4);
    const { sections } = layout(query, dataset, three);
    expect(sections.map(({ ring, statistics }) => [ring.bits, statistics])).toEqual([
      [64, [1, 3]],
      [128, [2]],
      [192, [0]],
    ]);
    expect(new Set(sections.map(({ label }) => label)).size).toBe(3);
  });

  it('counts the bytes of all elements', () => {
    const query = queryOf([sum('large', 'large'), sum(), sum('large'), sum('small', 'small')], 4);
    expect(bytesOf(layout(query, dataset, three))).toBe(4 * (24 + 8 + 16 + 8));
  });

  it('bounds a sum by rows, parties and the larger bound of each column', () => {
    expect(statisticBound(sum(), dataset, 3)).toBe(3_000_000n);
    expect(statisticBound(sum('small'), dataset, 3)).toBe(300_000_000n);
    expect(statisticBound(sum('small', 'edge'), dataset, 2)).toBe(2_000_000n * 100n * 9_223_372_036_854n);
  });

  it('takes the wider ring from the first bound that could wrap', () => {
    const ringsFor = (parties: number, maxRows: number) =>
      layout(queryOf([sum('edge')], 1), { ...dataset, max_rows: maxRows }, three.slice(0, parties)).sections.map(
        ({ ring }) => ring.bits,
      );
    // 9223372036854 × 10^6 is below 2^63; one row more is not.
    expect(ringsFor(1, 1_000_000)).toEqual([64]);
    expect(ringsFor(1, 1_000_001)).toEqual([128]);
    expect(ringsFor(2, 1_000_000)).toEqual([128]);
  });

  it('does not let a sum reach the one value that has no sign', () => {
    const columns = { power: { type: 'integer', min: 0, max: String(2n ** 62n) } };
    const even = completeDataset('even', datasetSchema.parse({ held_by: ['a'], unit: 'row', max_rows: 2, columns }));
    expect(layout(queryOf([sum('power')], 1), even, ['a']).sections.map(({ ring }) => ring.bits)).toEqual([128]);
  });

  it('refuses what could exceed 192 bits, naming the column and the bound', () => {
    const huge = completeDataset(
      'huge',
      datasetSchema.parse({
        held_by: ['a', 'b', 'c'],
        unit: 'row',
        max_rows: 1_000_000,
        columns: { mass: { type: 'integer', min: 0, max: `1${'0'.repeat(26)}` } },
      }),
    );
    const fits = layout(queryOf([sum('mass')], 1), huge, three);
    expect(fits.sections.map(({ ring }) => ring.bits)).toEqual([128]);
    const refused = () => layout(queryOf([sum('mass', 'mass')], 1), huge, three);
    expect(refused).toThrow(InputError);
    expect(refused).toThrow(expect.objectContaining({ code: 'OVERFLOW', field: 'datasets.huge.columns.mass' }));
    expect(refused).toThrow(`3${'0'.repeat(58)}`);
  });
});

describe('encode and decode', () => {
  const statistics = [sum('large', 'large'), sum(), sum('large'), sum('small', 'small'), sum('small')];
  const cells = 3;
  const arranged = layout(queryOf(statistics, cells), dataset, three);
  const bounds = statistics.map((statistic) => statisticBound(statistic, dataset, 1));
  const results = fc.tuple(
    ...bounds.map((max) => fc.array(fc.bigInt({ min: -max, max }), { minLength: cells, maxLength: cells })),
  );

  it('give back the sum over the parties in every ring, negative ones too', () => {
    fc.assert(
      fc.property(fc.array(results, { minLength: 3, maxLength: 3 }), (parties) => {
        const opened = parties
          .map((result) => encode(arranged, result))
          .reduce((total, own) => total.map((vector, at) => add(vector, own[at]!)));
        const totals = statistics.map((_, at) =>
          Array.from({ length: cells }, (_, cell) => parties.reduce((all, result) => all + result[at]![cell]!, 0n)),
        );
        expect(decode(arranged, opened)).toEqual(totals);
      }),
      { numRuns: 200, seed: 7 },
    );
  });

  it('hold the extreme sums of all parties', () => {
    for (const sign of [-1n, 1n]) {
      const extreme = bounds.map((bound) => Array.from({ length: cells }, () => sign * 3n * bound));
      expect(decode(arranged, encode(arranged, extreme))).toEqual(extreme);
    }
  });
});

describe('slots', () => {
  const query = queryOf([sum('small'), top(1, 'large'), sum(), top(2, 'large')], 2);
  const own: Record<string, bigint[][]> = {
    a: [
      [-1n, 2n],
      [30n, 31n],
      [1n, 1n],
      [20n, 21n],
    ],
    b: [
      [3n, 4n],
      [50n, 51n],
      [1n, 2n],
      [40n, 41n],
    ],
    c: [
      [5n, 6n],
      [0n, 71n],
      [0n, 1n],
      [0n, 0n],
    ],
  };

  it('are one a statistic, and one a party for what is not added up', () => {
    expect(slots(query, ['a', 'b'])).toEqual([
      { statistic: 0, party: null },
      { statistic: 1, party: 'a' },
      { statistic: 1, party: 'b' },
      { statistic: 2, party: null },
      { statistic: 3, party: 'a' },
      { statistic: 3, party: 'b' },
    ]);
  });

  it('hold each party’s largest totals apart, and zeros of the others', () => {
    const places = slots(query, three);
    expect(inSlots(places, 'b', own.b!)).toEqual([
      [3n, 4n],
      [0n, 0n],
      [50n, 51n],
      [0n, 0n],
      [1n, 2n],
      [0n, 0n],
      [40n, 41n],
      [0n, 0n],
    ]);
    const arranged = layout(query, dataset, three);
    const opened = three
      .map((party) => encode(arranged, inSlots(places, party, own[party]!)))
      .reduce((total, vectors) => total.map((vector, at) => add(vector, vectors[at]!)));
    const expected = [
      [7n, 12n],
      [30n, 31n],
      [50n, 51n],
      [0n, 71n],
      [2n, 4n],
      [20n, 21n],
      [40n, 41n],
      [0n, 0n],
    ];
    expect(decode(arranged, opened)).toEqual(expected);
  });

  it('are what a layout counts, and each has the ring of its statistic', () => {
    const arranged = layout(query, dataset, three);
    expect(arranged.sections.map(({ ring, statistics }) => [ring.bits, statistics])).toEqual([
      [64, [0, 4]],
      [128, [1, 2, 3, 5, 6, 7]],
    ]);
    expect(bytesOf(arranged)).toBe(2 * (2 * 8 + 6 * 16));
  });

  it('are the statistics themselves where all are added up', () => {
    const added = queryOf([sum('small'), sum(), { of: 'magnitude', product: ['large'], where: { kind: 'true' } }], 2);
    const places = slots(added, three);
    expect(places).toEqual([0, 1, 2].map((statistic) => ({ statistic, party: null })));
    expect(inSlots(places, 'a', own.a!.slice(0, 3))).toEqual(own.a!.slice(0, 3));
  });

  it('need room for one person’s rows in a largest total', () => {
    expect(statisticBound({ ...sum('small'), of: 'magnitude' }, dataset, 3)).toBe(300_000_000n);
    expect(statisticBound(top(1, 'small'), dataset, 3)).toBe(100n);
    // 9223372036854 × 10^6 is below 2^63, and twice as much is not.
    const edge = queryOf([sum('edge'), top(1, 'edge')], 1);
    expect(layout(edge, dataset, ['a', 'b']).sections.map(({ ring, statistics }) => [ring.bits, statistics])).toEqual([
      [64, [1, 2]],
      [128, [0]],
    ]);
  });
});
