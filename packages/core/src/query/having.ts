/**
 * The conditions of a job's `having`: which groups open at all.
 *
 * A condition compares one figure of a group with a number. The figure is one of the job's measures, or a measure of its
 * own under `of`, which is tested and never opened. All conditions must hold.
 * @module
 */
import type { Rational } from '../algebra/rational.ts';
import type { Measure } from './job.ts';

export type HavingOp = 'gt' | 'gte' | 'lt' | 'lte';

export interface Having {
  /** As the job wrote it: the name of a measure, or a name of its own where `of` stands under it. */
  readonly name: string;
  readonly measure: Measure;
  readonly op: HavingOp;
  /** In the figure's own units. */
  readonly value: Rational;
}
