/**
 * Means and ratios.
 *
 *   mean = (s + Σ(2x − s)/n) / 2, kept within the column's bounds: the centred sum and the count share the budget
 *   ratio = Σx / Σy, each sum by itself
 *
 * No mean where the noisy count is below 1; no ratio where the noisy divisor is 0 or of a sign that it cannot have.
 * @module
 */
import { centredOf, centredPart, columnValue, rangeOf } from './moments.ts';
import { counted, single, undefinedNumbers } from './release.ts';
import type { Shield } from './shield.ts';

export const mean: Shield<string> = (column, dataset, [n, x]) => {
  const range = rangeOf(dataset, column);
  return {
    drafts: [counted(n!), single(`${column} about its midpoint`, centredPart(n!, x!, range), range.width)],
    derive: ([n, sum]) => (n! < 1 ? undefinedNumbers(1) : [columnValue(centredOf(sum!, range) / n!, range)]),
    show: ([number]) => number!,
  };
};

type Pair = { readonly numerator: string; readonly denominator: string } | readonly [string, string];

export const ratio: Shield<Pair> = (pair, dataset, [x, y]) => {
  const [a, b] = 'numerator' in pair ? [pair.numerator, pair.denominator] : pair;
  const [above, below] = [rangeOf(dataset, a), rangeOf(dataset, b)];
  const scale = 10 ** (below.scale - above.scale);
  // A divisor that can only have one sign is not of the other one, whatever the noise says.
  const isPositive = below.sum - below.width >= 0n;
  const isNegative = below.sum + below.width <= 0n;
  return {
    drafts: [single(`sum of ${a}`, [[x!, 1n]], above.reach), single(`sum of ${b}`, [[y!, 1n]], below.reach)],
    derive: ([x, y]) => {
      const isPossible = isPositive ? y! > 0 : isNegative ? y! < 0 : y !== 0;
      return isPossible ? [(x! / y!) * scale] : undefinedNumbers(1);
    },
    show: ([number]) => number!,
  };
};
