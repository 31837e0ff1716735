import { expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { kernels } from '../src/kernels/kernels.ts';
import { okvsShape } from '../src/protocols/okvs-shape.ts';
import { dependencies, type Peeling, peel, peelBytes } from '../src/protocols/peel.ts';

const rng = seededRng(8);

/** So many random rows of three different places. */
function randomRows(count: number, columns: number): Uint32Array {
  const places = new Uint32Array(3 * count);
  for (let i = 0; i < count; i++) {
    const row = new Set<number>();
    while (row.size < 3) row.add(new DataView(rng(4).slice().buffer).getUint32(0) % columns);
    places.set([...row], 3 * i);
  }
  return places;
}

/** Peeled in memory of its own, and copied out of it. */
function peeled(places: Uint32Array, columns: number, asideMax: number): Peeling {
  const count = places.length / 3;
  const [own, rows, pivots, scratch] = kernels().reserve(places.byteLength, ...peelBytes(count, columns));
  const [p, r, v] = [own, rows, pivots].map(
    (room) => new Uint32Array(room!.buffer, room!.byteOffset, room!.length / 4),
  );
  p!.set(places);
  const peeling = peel(p!, columns, asideMax, { rows: r!, pivots: v!, scratch: scratch! });
  return { rows: peeling.rows.slice(), pivots: peeling.pivots.slice(), aside: peeling.aside };
}

const rowOf = (places: Uint32Array, i: number) => [...places.subarray(3 * i, 3 * i + 3)];

function expectTriangular(peeling: Peeling, places: Uint32Array): void {
  expect([...peeling.rows, ...peeling.aside].sort((a, b) => a - b)).toEqual([...Array(places.length / 3).keys()]);
  const spent = new Set<number>();
  for (const [t, row] of peeling.rows.entries()) {
    const pivot = peeling.pivots[t]!;
    const own = rowOf(places, row);
    expect(own).toContain(pivot);
    expect(own.filter((column) => spent.has(column))).toEqual([]);
    spent.add(pivot);
  }
}

it('peels sparse rows into a triangle, and sets aside what no pivot is left for', () => {
  for (const [count, columns] of [
    [1, 3],
    [200, 300],
    [200, 220],
    [50, 20],
  ] as const) {
    const places = randomRows(count, columns);
    expectTriangular(peeled(places, columns, count), places);
  }
});

it('sets aside one of two equal rows', () => {
  const places = new Uint32Array([4, 1, 2, 0, 3, 5, 2, 4, 1]);
  const peeling = peeled(places, 6, 9);
  expect(peeling.aside).toEqual([0]);
  expectTriangular(peeling, places);
  expect(dependencies(peeling, places, 6, 0)).toEqual({ rows: [2], free: [] });
});

it('stops where more rows are set aside than are allowed', () => {
  const places = new Uint32Array(Array.from({ length: 10 }, () => [0, 1, 2]).flat());
  expect(peeled(places, 3, 4).aside.length).toBe(5);
});

it('finds the rows that one set aside depends on: their sum has places in free columns alone', () => {
  const [count, columns] = [100, 95];
  const places = randomRows(count, columns);
  const peeling = peeled(places, columns, count);
  expect(peeling.aside.length).toBeGreaterThan(5);
  const pivots = new Set(peeling.pivots);
  for (const row of peeling.aside) {
    const { rows, free } = dependencies(peeling, places, columns, row);
    const odd = new Set<number>();
    for (const i of [row, ...rows]) for (const column of rowOf(places, i)) if (!odd.delete(column)) odd.add(column);
    expect([...odd].sort((a, b) => a - b)).toEqual(free);
    expect(free.filter((column) => pivots.has(column))).toEqual([]);
  }
});

it('sets a row of a store’s size aside about as rarely as two keys have the same places', () => {
  const [n, trials] = [64, 5000];
  const { sparse } = okvsShape(n);
  let seen = 0;
  for (let i = 0; i < trials; i++) seen += peeled(randomRows(n, sparse), sparse, n).aside.length;
  const pairsExpected = trials * ((n * (n - 1)) / 2 / ((sparse * (sparse - 1) * (sparse - 2)) / 6));
  expect(seen).toBeGreaterThan(0.4 * pairsExpected);
  expect(seen).toBeLessThan(2 * pairsExpected);
});
