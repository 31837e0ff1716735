import { expect, it } from 'vitest';
import { concat } from '../src/algebra/bytes.ts';
import { solve128 } from '../src/algebra/linear128.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { kernels, table128 } from '../src/kernels/kernels.ts';

/** What an equation's coefficients make of x. */
function apply(coefficients: Uint8Array, x: Uint8Array): Uint8Array {
  const unknowns = coefficients.length / 16;
  const rowBytes = x.length / unknowns;
  const sum = new Uint8Array(rowBytes);
  for (let j = 0; j < unknowns; j++) {
    const term = x.slice(j * rowBytes, (j + 1) * rowBytes);
    kernels().multiply128(term, table128(coefficients.subarray(16 * j, 16 * j + 16)));
    kernels().xorInto(sum, term);
  }
  return sum;
}

it('solves as many equations as there are unknowns, or fewer, in rows of any width', () => {
  const rng = seededRng(3);
  for (const [equations, unknowns, blocks] of [
    [1, 1, 1],
    [1, 3, 1],
    [3, 3, 2],
    [2, 4, 3],
  ] as const) {
    const left = Array.from({ length: equations }, () => rng(16 * unknowns));
    // A zero where the first pivot would be.
    if (unknowns > 1) left[0]!.fill(0, 0, 16);
    const right = left.map(() => rng(16 * blocks));
    const x = rng(16 * blocks * unknowns).slice();
    const before = x.slice();
    const whole = left.map((coefficients, i) => concat(coefficients, right[i]!));
    expect(solve128(whole, unknowns, x)).toBe(true);
    expect(left.map((coefficients) => apply(coefficients, x))).toEqual(right);
    const kept = Array.from({ length: unknowns }, (_, j) => [16 * blocks * j, 16 * blocks * (j + 1)] as const);
    const isKept = ([from, to]: readonly [number, number]) =>
      Buffer.compare(x.subarray(from, to), before.subarray(from, to)) === 0;
    expect(kept.filter(isKept).length).toBe(unknowns - equations);
  }
});

it('says so where equations are dependent', () => {
  const rng = seededRng(4);
  const [a, b] = [rng(32), rng(32)];
  const sum = a.map((byte, i) => byte ^ b[i]!);
  const equations = [a, b, sum].map((coefficients) => concat(coefficients, rng(16)));
  expect(
    solve128(
      equations.slice(0, 2).map((equation) => equation.slice()),
      2,
      new Uint8Array(32),
    ),
  ).toBe(true);
  expect(solve128(equations, 2, new Uint8Array(32))).toBe(false);
  expect(solve128([new Uint8Array(32)], 1, new Uint8Array(16))).toBe(false);
});
