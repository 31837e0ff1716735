/**
 * The measures a job may ask for: one table, from the name of an operation to its family.
 *
 * A measure says which sums it needs, whose number the threshold looks at, and how exact sums become its value. Nothing
 * else in the program knows one measure from another.
 * @module
 */
import { InputError } from '../channel/errors.ts';
import type { Dataset } from './dictionary.ts';
import type { Measure, Operation } from './job.ts';
import { chiSquare } from './measure/chi-square.ts';
import { count } from './measure/count.ts';
import { correlation, covariance } from './measure/covariance.ts';
import { checkGrouping, checkMeasured, type Family, type Prepared } from './measure/family.ts';
import { histogram } from './measure/histogram.ts';
import { median, quantile } from './measure/quantile.ts';
import { ratio } from './measure/ratio.ts';
import { regression } from './measure/regression.ts';
import { mean, sum } from './measure/sum.ts';
import { tTest } from './measure/t-test.ts';
import { stddev, variance } from './measure/variance.ts';

type ArgumentOf<O extends Operation> = O extends 'count'
  ? { readonly where?: never } | Extract<Measure, { readonly count: unknown }>['count']
  : Extract<Measure, Readonly<Record<O, unknown>>>[O & keyof Extract<Measure, Readonly<Record<O, unknown>>>];

const families: { readonly [O in Operation]: Family<ArgumentOf<O>> } = {
  count,
  sum,
  mean,
  variance,
  stddev,
  covariance,
  correlation,
  regression,
  ratio,
  histogram,
  median,
  quantile,
  t_test: tTest,
  chi_square: chiSquare,
};

/** The family of a measure and the argument it takes: the one place where the two are known to fit. */
function familyOf(measure: Measure): { operation: Operation; family: Family<unknown>; argument: unknown } {
  const [operation, argument] = measure === 'count' ? ['count', {}] : Object.entries(measure)[0]!;
  return { operation: operation as Operation, family: families[operation as Operation] as Family<unknown>, argument };
}

/** What a policy has to allow for a measure. */
export interface MeasureUses {
  readonly operation: Operation;
  /** Columns computed with, each once. */
  readonly columns: readonly string[];
  /** Columns that split people into groups: the `by` of a t-test, both sides of a chi-square. */
  readonly groups: readonly string[];
}

export function measureUses(measure: Measure): MeasureUses {
  const { operation, family, argument } = familyOf(measure);
  const names = (uses: ReturnType<typeof family.measured>) => [...new Set(uses.map(({ column }) => column))];
  return { operation, columns: names(family.measured(argument)), groups: names(family.grouping(argument)) };
}

/**
 * Sums in each cell over all measures of a job, before those that two measures share are made one. Every party makes them
 * all, on its main thread, and a coordinator too: without a bound a short job would ask for millions. Two measures of
 * 10,000 bins stay below.
 */
export const sumsMax = 25_000;

/**
 * A measure against a dataset, with room for so many sums. Gives their number; none of them is made.
 * @throws InputError UNKNOWN_COLUMN, WRONG_TYPE, BAD_BINS, BAD_VALUE, TOO_MANY_CELLS, naming what is wrong under `field`
 */
export function checkMeasure(
  name: string,
  measure: Measure,
  dataset: Dataset,
  room = sumsMax,
  field = `measures.${name}`,
): number {
  const { family, argument } = familyOf(measure);
  checkUses(measure, dataset, field);
  const sums = family.sums(argument, dataset);
  if (sums > room) {
    throw new InputError('TOO_MANY_CELLS', {
      field,
      detail: `this measure takes ${sums} sums in each cell, and of ${sumsMax} for all measures ${room} are left`,
      remedy: 'ask for fewer bins or fewer measures',
    });
  }
  family.check?.(argument, dataset, field);
  return sums;
}

function checkUses(measure: Measure, dataset: Dataset, field: string): void {
  const { family, argument } = familyOf(measure);
  for (const use of family.measured(argument)) checkMeasured(dataset, use, field);
  for (const use of family.grouping(argument)) checkGrouping(dataset, use, field);
}

/** The sums of a measure that was checked, and the way from them to its value. */
export function prepareMeasure(name: string, measure: Measure, dataset: Dataset): Prepared {
  const { family, argument } = familyOf(measure);
  return family.prepare(argument, dataset, `measures.${name}`);
}
