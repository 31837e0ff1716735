/**
 * Which groups of a protected answer are shown, and how its figures are rounded.
 *
 * All of it looks at released figures alone, with the noise in them, as they stand in the answer: nothing more is opened
 * for it, nothing is charged, and whoever has the answer can do it again. So a group near a limit is shown or left out by
 * chance, and what `top` chooses by a figure has more often than not noise that lifts it. Intervals are those of a
 * figure by itself, whichever others are shown.
 * @module
 */
import { cmp, parseRational, type Rational } from '../algebra/rational.ts';
import type { AnswerRow } from './answer.ts';
import type { CheckedJob } from './check-job.ts';
import type { Having } from './having.ts';

/** The rows that the job's conditions leave, in their order; all where it has none. */
export function shownRows({ having, top }: CheckedJob, rows: readonly AnswerRow[]): readonly AnswerRow[] {
  const held = rows.filter((row) => having.every((condition) => holds(condition, figureOf(row, condition.name))));
  if (top === null) return held;
  // A group whose figure is withheld or not defined has no rank.
  const ranked = held.flatMap((row) => {
    const figure = figureOf(row, top.by);
    return figure === null ? [] : [{ row, figure }];
  });
  // Of equal ones the first, which sorting keeps.
  const best = ranked.toSorted((a, b) => cmp(b.figure, a.figure)).slice(0, top.count);
  const chosen = new Set(best.map(({ row }) => row));
  return held.filter((row) => chosen.has(row));
}

/** A measure's figure to its last digit; null where it is withheld or not defined. */
function figureOf(row: AnswerRow, name: string): Rational | null {
  const figure = row[name] as { readonly exact: string | null };
  return figure.exact === null ? null : parseRational(figure.exact);
}

/** No comparison with a figure that is not there holds. */
function holds({ op, value }: Having, figure: Rational | null): boolean {
  if (figure === null) return false;
  const order = cmp(figure, value);
  if (op === 'gt' || op === 'gte') return order > 0 || (op === 'gte' && order === 0);
  return order < 0 || (op === 'lte' && order === 0);
}

/** The nearest multiple of the base, of two the larger. */
export function nearestMultiple(figure: bigint, base: bigint): bigint {
  const twice = 2n * figure + base;
  const quotient = twice / (2n * base);
  return (twice < 0n && quotient * 2n * base !== twice ? quotient - 1n : quotient) * base;
}

/** An interval with its ends moved outward to multiples of the base: it holds whatever it held before. */
export function widened([low, high]: readonly [number, number], base: number): readonly [number, number] {
  // Adding 0 turns the 0 below zero into the plain one.
  return [Math.floor(low / base) * base + 0, Math.ceil(high / base) * base + 0];
}
