/**
 * The ratio of two totals, Σ numerator / Σ denominator, over the rows that have both values; null where the divisor is 0.
 * @module
 */
import { rational } from '../../algebra/rational.ts';
import type { Dataset } from '../dictionary.ts';
import { type Family, levelsOf, none, present, quotientOf, scalar, scaleOf, shift, sumOf, whole } from './family.ts';

/** Digits after the point, where a ratio is opened without its two sums. */
const ratioDigits = 4;

type Argument = { readonly numerator: string; readonly denominator: string } | readonly [string, string];

function partsOf(argument: Argument): { numerator: string; denominator: string; paths: readonly [string, string] } {
  if (!('numerator' in argument)) {
    return { numerator: argument[0], denominator: argument[1], paths: ['ratio[0]', 'ratio[1]'] };
  }
  return { ...argument, paths: ['ratio.numerator', 'ratio.denominator'] };
}

export const ratio: Family<Argument> = {
  measured(argument) {
    const { numerator, denominator, paths } = partsOf(argument);
    return [
      { column: numerator, path: paths[0] },
      { column: denominator, path: paths[1] },
    ];
  },
  grouping: () => [],
  sums: () => 2,
  prepare(argument, dataset) {
    const { numerator, denominator } = partsOf(argument);
    const where = present(dataset, [numerator, denominator]);
    const scale = scaleOf(dataset, denominator) - scaleOf(dataset, numerator);
    const tested = [where, ...levelsOf(dataset, [numerator, denominator], where)];
    const units = [unitOf(dataset, numerator), unitOf(dataset, denominator)] as const;
    const sums = [sumOf([numerator], where), sumOf([denominator], where)] as const;
    return {
      ...whole(sums, tested, ([above, below]) =>
        below === 0n ? none : scalar(shift(rational(above!, below!), scale)),
      ),
      units,
      ratio: quotientOf(sums, tested, { digits: ratioDigits, exponent: scale, units }),
    };
  },
};

function unitOf(dataset: Dataset, column: string): bigint {
  return 10n ** BigInt(scaleOf(dataset, column));
}
