/**
 * Linear equations over GF(2^128), by Gauss and Jordan: for a handful of them, as the tables of each product cost more
 * than the product.
 *
 * Elements have 16 bytes, in the form of `table128`.
 * @module
 */
import { kernels, table128 } from '../kernels/kernels.ts';
import { assert } from './assert.ts';

const elementBytes = 16;

/**
 * Solves for x of `unknowns` rows. An equation is its coefficients and then its right side, as wide as a row of x; the
 * equations are spent. What they leave free in x keeps its value, so that a uniform x becomes a uniform solution.
 *
 * @returns false where the equations are dependent
 */
export function solve128(equations: readonly Uint8Array[], unknowns: number, x: Uint8Array): boolean {
  const rowBytes = x.length / unknowns;
  const isPivot = new Array<boolean>(unknowns).fill(false);
  const pivots: number[] = [];
  for (const [i, equation] of equations.entries()) {
    assert(equation.length === unknowns * elementBytes + rowBytes, 'an equation has a coefficient for each unknown');
    const pivot = isPivot.findIndex((_, j) => !isZero(elementAt(equation, j)));
    if (pivot === -1) return false;
    isPivot[pivot] = true;
    pivots.push(pivot);
    kernels().multiply128(equation, table128(inverse(elementAt(equation, pivot))));
    for (const [k, other] of equations.entries()) {
      if (k === i) continue;
      const multiple = equation.slice();
      kernels().multiply128(multiple, table128(elementAt(other, pivot)));
      kernels().xorInto(other, multiple);
    }
  }
  const free = isPivot.flatMap((taken, j) => (taken ? [] : [j]));
  const rowOf = (j: number) => x.subarray(j * rowBytes, (j + 1) * rowBytes);
  for (const [i, equation] of equations.entries()) {
    const value = equation.slice(unknowns * elementBytes);
    for (const j of free) {
      const term = rowOf(j).slice();
      kernels().multiply128(term, table128(elementAt(equation, j)));
      kernels().xorInto(value, term);
    }
    rowOf(pivots[i]!).set(value);
  }
  return true;
}

/** a^(2^128 − 2): the product of a^2, a^4, … a^(2^127). */
function inverse(a: Uint8Array): Uint8Array {
  let power = a;
  const product = new Uint8Array(elementBytes);
  product[0] = 1;
  for (let i = 1; i < 128; i++) {
    const table = table128(power);
    power = power.slice();
    kernels().multiply128(power, table);
    kernels().multiply128(product, table128(power));
  }
  return product;
}

function elementAt(equation: Uint8Array, j: number): Uint8Array {
  return equation.subarray(j * elementBytes, (j + 1) * elementBytes);
}

function isZero(element: Uint8Array): boolean {
  return element.every((byte) => byte === 0);
}
