/**
 * Integer division of shared values by a public divisor, ⌊a / b⌋ exactly: as by a shared one, but the reciprocal is
 * known, so that nothing is multiplied.
 *
 * Domain    |a| < 2^62 and 1 ≤ b < 2^60
 * Error     0; ⌊a / b⌋ is rounded down, for negative a too
 *
 * b has k bits, and y = ⌊2^(30+k) / b⌋ is in [2^30, 2^31]. A step takes a q̂ near r / b off the remainder r: it reads
 * ⌊r / 2^t⌋, at most 2^30, times y, less 30 + k − t bits. It leaves |r'| < 2^−30 |r| + 2^t (none for t = 0) + b; truncations
 * add 0 or 1. It is the last where the first two are b / 4 at most; then 1/2 is taken off q̂ before it is cut, so that
 * −3/4 < r / b < 7/4, and comparisons of r with 0 and b find what is missing.
 *
 * Rounds    by 5 for 62 bits 9, by 10^6 11, for two parties; 0 by 1
 * Sends     by 5 for 62 bits and two parties 44 bytes a value to each peer, by 10^6 60
 * Takes     by 5 for 62 bits 16 + 8 (N − 2) bit triples and 322 shared bits a value; by 10^6 112 + 42 (N − 2) and 258
 * Security  that of its parts: semi-honest, N−1 colluding; nothing is opened but masked values. An active party can
 *           shift the quotient.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { bitLength } from '../algebra/integer-root.ts';
import { addInto, length, scale, sub, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import { addConstant } from '../sharing/additive.ts';
import { constant } from './compare.ts';
import type { Correlations } from './correlations.ts';
import { type Cost, checkLengths, inSequence, noCost } from './cost.ts';
import { dividendsMax, settled, settledCost } from './divide.ts';
import { fractionBits } from './reciprocal.ts';
import { truncate, truncateCost } from './truncate.ts';

/**
 * ⌊a / b⌋.
 * @throws ProtocolError OVER_LIMIT
 */
export async function divideByConstant(
  ch: Channel,
  source: Correlations,
  a: Vector,
  b: bigint,
  dividendBits = 62,
): Promise<Vector> {
  const n = length(a);
  checkLengths('divide', dividendsMax, n);
  const dropped = droppedBits(b, dividendBits);
  if (b === 1n) return a;
  const k = bitLength(b);
  const y = (1n << BigInt(fractionBits + k)) / b;
  const q = vector(Z2_64, n);
  let r = a;
  for (const [i, t] of dropped.entries()) {
    // Up to two rounds.
    const shift = fractionBits + k - t;
    const product = scale(t === 0 ? r : await truncate(ch, source, r, t), y);
    const half = i === dropped.length - 1 ? 1n << BigInt(shift - 1) : 0n;
    const lowered = addConstant(ch, product, constant(n, -half));
    const estimate = shift === 0 ? lowered : await truncate(ch, source, lowered, shift);
    addInto(q, estimate);
    r = sub(r, scale(estimate, b));
  }
  return settled(ch, source, { q, r }, addConstant(ch, vector(Z2_64, n), constant(n, b)), k, 'down');
}

/** The lowest bits of the remainder that each step leaves out. */
function droppedBits(b: bigint, dividendBits: number): number[] {
  assert(Number.isInteger(dividendBits) && dividendBits >= 1 && dividendBits <= 62, 'a dividend has 1 to 62 bits');
  assert(b >= 1n && b < 1n << 60n, 'a divisor lies from 1 to 2^60 − 1');
  // By so large a b, all of a product may be cut away but for 61 bits, and that much of r is not worth reading.
  const least = Math.max(0, bitLength(b) - 31);
  const dropped: number[] = [];
  let size = 2 ** dividendBits;
  for (;;) {
    const t = Math.max(least, Math.ceil(Math.log2(size)) - 30);
    dropped.push(t);
    const error = size / 2 ** fractionBits + (t === 0 ? 0 : 2 ** t);
    if (error <= Number(b) / 4) return dropped;
    size = error + Number(b);
  }
}

export function divideByConstantCost(parties: number, count: number, b: bigint, dividendBits = 62): Cost {
  const dropped = droppedBits(b, dividendBits);
  if (b === 1n) return noCost;
  const k = bitLength(b);
  const shift = truncateCost(parties, count);
  const steps = dropped.flatMap((t) => [t === 0 ? noCost : shift, fractionBits + k === t ? noCost : shift]);
  return inSequence(...steps, settledCost(parties, count, k, 'down'));
}
