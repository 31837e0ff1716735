/**
 * The conditions of a job's `having`: which groups open at all.
 *
 * A condition compares one figure of a group with a number. The figure is one of the job's measures, or a measure of its
 * own under `of`, which is tested and never opened. All conditions must hold.
 * @module
 */
import { cmp, type Rational } from '../algebra/rational.ts';
import { InputError } from '../channel/errors.ts';
import { boundsOf, type Dataset, fractionOf } from './dictionary.ts';
import type { HavingTest, Job, Measure, Numeric, Operation } from './job.ts';
import { measureUses } from './measures.ts';
import { listed, lookUp } from './name.ts';

const ops = ['gt', 'gte', 'lt', 'lte'] as const;
type HavingOp = (typeof ops)[number];

export interface Having {
  /** As the job wrote it: the name of a measure, or a name of its own where `of` stands under it. */
  readonly name: string;
  readonly measure: Measure;
  readonly op: HavingOp;
  /** In the figure's own units. */
  readonly value: Rational;
}

/** What can be compared on shares without a division: a linear form in sums, or a quotient of two. */
const comparable: readonly Operation[] = ['count', 'sum', 'mean', 'ratio'];

/** Larger or finer numbers than people compare totals with only widen what is compared on shares. */
const valueMax = 10n ** 18n;
const decimalsMax = 9;

/** The measures under `of`, by the names of their conditions; they are tested and not opened. */
export function testedOnly(having: Job['having']): [string, Measure][] {
  return Object.entries(having ?? {}).flatMap(([name, { of }]) => (of === undefined ? [] : [[name, of]]));
}

/**
 * The conditions of a job, in one order at every party, whatever order the job was written in. That all measures fit the
 * dataset, those under `of` too, has been checked before.
 * @throws InputError BAD_VALUE, NOT_SUPPORTED, naming the field
 */
export function readHaving(
  { having, measures, privacy }: Pick<Job, 'having' | 'measures' | 'privacy'>,
  dataset: Dataset,
): Having[] {
  const names = Object.keys(having ?? {}).sort();
  return names.flatMap((name) => {
    const test = having![name]!;
    const field = `having.${name}`;
    const at = test.of === undefined ? field : `${field}.of`;
    const measure = measureOf(name, test, measures, privacy !== undefined);
    const { operation } = measureUses(measure);
    if (privacy === undefined) checkDivisor(measure, dataset, at);
    if (!comparable.includes(operation)) {
      throw new InputError('NOT_SUPPORTED', {
        field: at,
        detail: `a condition is on a ${listed(comparable)}, not on a ${operation}`,
        remedy: 'test another measure, or look at the figures of all groups',
      });
    }
    const values = comparisonsOf(test, field);
    if (values.length === 0) throw bad(field, 'expected a comparison, such as { gte: 50 }');
    return values.map(([op, value]) => ({ name, measure, op, value }));
  });
}

/** A quotient is compared without dividing, which turns the comparison round where the divisor is below 0. */
function checkDivisor(measure: Measure, dataset: Dataset, field: string): void {
  if (measure === 'count' || !('ratio' in measure)) return;
  const { ratio } = measure;
  const divisor = 'denominator' in ratio ? ratio.denominator : ratio[1];
  if (boundsOf(dataset.columns[divisor]!).min >= 0n) return;
  throw new InputError('NOT_SUPPORTED', {
    field,
    detail: `\`${divisor}\` may be below 0, and divides what is compared`,
    remedy: 'divide by a column that is never below 0, or test the sums',
  });
}

function measureOf(
  name: string,
  { of }: HavingTest,
  measures: Readonly<Record<string, Measure>>,
  isProtected: boolean,
): Measure {
  const field = `having.${name}`;
  const named = lookUp(measures, name);
  if (of === undefined) {
    if (named !== undefined) return named;
    const names = listed(Object.keys(measures).slice(0, 12));
    throw bad(field, `no measure has this name; there are ${names}`, 'name a measure, or give one under `of`');
  }
  if (named !== undefined) throw bad(field, 'a measure has this name already', 'leave `of` out, or take another name');
  if (isProtected) {
    throw new InputError('NOT_SUPPORTED', {
      field: `${field}.of`,
      detail: 'a protected answer tests only what it releases',
      remedy: 'ask for the measure under `measures`, where it is released and charged',
    });
  }
  return of;
}

function comparisonsOf(test: HavingTest, field: string): [HavingOp, Rational][] {
  const plain = ops.flatMap((op): [HavingOp, Rational][] => {
    const value = test[op];
    return value === undefined ? [] : [[op, read(value, `${field}.${op}`)]];
  });
  if (test.between === undefined) return plain;
  const [from, to] = test.between.map((end, at) => read(end, `${field}.between[${at}]`));
  if (cmp(from!, to!) > 0) throw bad(`${field}.between`, 'the first end is above the second');
  return [...plain, ['gte', from!], ['lte', to!]];
}

/** The form is the schema's; a job that a program made may still hold what no document can. */
function read(written: Numeric, field: string): Rational {
  let value: Rational;
  try {
    value = fractionOf(written);
  } catch {
    throw bad(field, 'a decimal number is expected, written in digits');
  }
  const magnitude = value.n < 0n ? -value.n : value.n;
  if (magnitude <= valueMax * value.d && 10n ** BigInt(decimalsMax) % value.d === 0n) return value;
  throw bad(field, `expected a number within ±10^18, with at most ${decimalsMax} digits after the point`);
}

function bad(field: string, detail: string, remedy?: string): InputError {
  return new InputError('BAD_VALUE', { field, detail, remedy });
}
