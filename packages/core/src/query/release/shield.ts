/**
 * How each measure is protected: one table, from the name of an operation to its releases and the way back.
 *
 * A measure that has no entry cannot be protected, and is refused by name.
 * @module
 */
import { InputError } from '../../channel/errors.ts';
import type { Condition } from '../condition.ts';
import type { Dataset } from '../dictionary.ts';
import type { Measure, Operation } from '../job.ts';
import { prepareMeasure } from '../measures.ts';
import type { Statistic } from '../statistic.ts';
import { mean, ratio } from './mean.ts';
import { median, quantile } from './quantile.ts';
import { regression } from './regression.ts';
import type { Shielded } from './release.ts';
import { correlation, covariance, stddev, variance } from './spread.ts';
import { chiSquare, tTest } from './tests.ts';
import { count, histogram, sum } from './totals.ts';

/** A family's protection, by the argument of the measure and the sums of its exact form, in their order. */
export type Shield<Argument> = (argument: Argument, dataset: Dataset, statistics: readonly Statistic[]) => Shielded;

/** Each takes the argument of its own operation; `measures.ts` has checked that they fit. */
const shields: ReadonlyMap<Operation, Shield<never>> = new Map<Operation, Shield<never>>([
  ['count', count],
  ['sum', sum],
  ['mean', mean],
  ['variance', variance],
  ['stddev', stddev],
  ['covariance', covariance],
  ['correlation', correlation],
  ['regression', regression],
  ['ratio', ratio],
  ['histogram', histogram],
  ['median', median],
  ['quantile', quantile],
  ['t_test', tTest],
  ['chi_square', chiSquare],
]);

/**
 * A measure's protection, and the sets of people that a threshold looks at.
 * @throws InputError NOT_SUPPORTED, naming the measure
 */
export function shieldMeasure(
  name: string,
  measure: Measure,
  dataset: Dataset,
): { shielded: Shielded; tested: readonly Condition[] } {
  const [operation, argument] = measure === 'count' ? ['count', {}] : Object.entries(measure)[0]!;
  const shield = shields.get(operation as Operation) as Shield<unknown> | undefined;
  if (shield === undefined) {
    throw new InputError('NOT_SUPPORTED', {
      field: `measures.${name}`,
      detail: `a ${operation} cannot be protected by noise`,
      remedy: 'leave the measure out, or ask for it without `privacy`',
    });
  }
  const { statistics, parts } = prepareMeasure(name, measure, dataset);
  return { shielded: shield(argument, dataset, statistics), tested: parts.flatMap(({ tested }) => tested) };
}
