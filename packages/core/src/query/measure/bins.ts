/**
 * Declared bins of a column: edges e₀ < e₁ < … as a list, or { from, to, width }.
 *
 * Bins are half-open [a, b) but the last, which includes its end; where the width does not divide the range, the last
 * bin ends at `to` all the same. Edges may lie between the values a column can have, so a bin in encoded integers starts
 * at the first integer that is not below its edge.
 * @module
 */
import { add, cmp, div, mul, parseRational, type Rational, rational, sub, toNumber } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import type { Condition } from '../condition.ts';
import { decimalText } from '../document.ts';
import type { Bins } from '../job.ts';
import { both, compare } from './family.ts';

/** As many as a job may have cells; each is one more sum. */
const binsMax = 10_000;

type Spaced = Exclude<Bins, readonly unknown[]>;

/** How many bins there are, without making one: 0 where they make no sense, and one too many where there are more. */
export function countBins(bins: Bins): number {
  if (!('width' in bins)) return Math.max(0, bins.length - 1);
  const { from, to, width } = numbersOf(bins);
  if (width.n <= 0n || cmp(from, to) >= 0) return 0;
  const count = ceiling(div(sub(to, from), width));
  return count > BigInt(binsMax) ? binsMax + 1 : Number(count);
}

/** @throws InputError BAD_BINS */
export function checkBins(bins: Bins, field: string): void {
  if ('width' in bins) checkSpaced(bins, field);
  else edgesOf(bins, field);
}

/** @throws InputError BAD_BINS */
export function edgesOf(bins: Bins, field: string): Rational[] {
  if ('width' in bins) {
    checkSpaced(bins, field);
    return spacedEdges(bins);
  }
  if (bins.length < 2) throw new InputError('BAD_BINS', { field, detail: 'there are fewer than two edges' });
  if (bins.length - 1 > binsMax) throw tooMany(field);
  const edges = bins.map(exactly);
  edges.forEach((edge, at) => {
    if (at === 0 || cmp(edges[at - 1]!, edge) < 0) return;
    throw new InputError('BAD_BINS', { field: `${field}[${at}]`, detail: 'this edge is not above the one before' });
  });
  return edges;
}

function checkSpaced(bins: Spaced, field: string): void {
  const { from, to, width } = numbersOf(bins);
  if (width.n <= 0n) throw new InputError('BAD_BINS', { field: `${field}.width`, detail: 'the width is not above 0' });
  if (cmp(from, to) >= 0)
    throw new InputError('BAD_BINS', { field: `${field}.to`, detail: '`to` is not above `from`' });
  if (countBins(bins) > binsMax) throw tooMany(field);
}

function spacedEdges(bins: Spaced): Rational[] {
  const { from, to, width } = numbersOf(bins);
  const edges = [from];
  for (let next = add(from, width); cmp(next, to) < 0; next = add(next, width)) edges.push(next);
  return [...edges, to];
}

function numbersOf({ from, to, width }: Spaced) {
  return { from: exactly(from), to: exactly(to), width: exactly(width) };
}

function tooMany(field: string): InputError {
  return new InputError('BAD_BINS', {
    field,
    detail: `there are more than ${binsMax} bins`,
    remedy: 'use wider bins',
  });
}

/** The decimal that the job wrote; a number's own shortest digits, so that 0.1 is a tenth. */
export function exactly(written: number | string): Rational {
  return parseRational(typeof written === 'number' ? decimalText(written) : written);
}

/** Where each bin's rows are, and those outside all; `where` holds for all of them. */
export function binConditions(
  column: string,
  scale: number,
  edges: readonly Rational[],
  where: Condition,
): { bins: Condition[]; below: Condition; above: Condition } {
  const encoded = edges.map((edge) => mul(edge, rational(10n ** BigInt(scale))));
  const starts = encoded.map(ceiling);
  const last = floor(encoded.at(-1)!);
  const bins = starts.slice(1).map((end, at) => {
    const isLast = at === starts.length - 2;
    const upper = isLast ? compare(column, 'lte', last) : compare(column, 'lt', end);
    return both(where, compare(column, 'gte', starts[at]!), upper);
  });
  return {
    bins,
    below: both(where, compare(column, 'lt', starts[0]!)),
    above: both(where, compare(column, 'gt', last)),
  };
}

function floor(r: Rational): bigint {
  const quotient = r.n / r.d;
  return r.n < 0n && quotient * r.d !== r.n ? quotient - 1n : quotient;
}

function ceiling(r: Rational): bigint {
  return -floor({ n: -r.n, d: r.d });
}

/** The edges as the answer shows them. */
export function shownEdges(edges: readonly Rational[]): number[] {
  return edges.map(toNumber);
}
