/**
 * Declared bins of a column: edges e₀ < e₁ < … as a list, or { from, to, width }.
 *
 * Bins are half-open [a, b) but the last, which includes its end; where the width does not divide the range, the last
 * bin ends at `to` all the same. Edges may lie between the values a column can have, so a bin in encoded integers starts
 * at the first integer that is not below its edge.
 * @module
 */
import { add, cmp, mul, parseRational, type Rational, rational, toNumber } from '../../algebra/rational.ts';
import { InputError } from '../../channel/errors.ts';
import type { Condition } from '../condition.ts';
import { decimalText } from '../document.ts';
import type { Bins } from '../job.ts';
import { both, compare } from './family.ts';

/** As many as a job may have cells; each is one more sum. */
const binsMax = 10_000;

/** @throws InputError BAD_BINS */
export function edgesOf(bins: Bins, field: string): Rational[] {
  const edges = 'width' in bins ? spacedEdges(bins, field) : bins.map(exactly);
  if (edges.length < 2) throw new InputError('BAD_BINS', { field, detail: 'there are fewer than two edges' });
  if (edges.length - 1 > binsMax) throw tooMany(field);
  edges.forEach((edge, at) => {
    if (at === 0 || cmp(edges[at - 1]!, edge) < 0) return;
    throw new InputError('BAD_BINS', { field: `${field}[${at}]`, detail: 'this edge is not above the one before' });
  });
  return edges;
}

function spacedEdges(bins: Exclude<Bins, readonly unknown[]>, field: string): Rational[] {
  const [from, to, width] = [exactly(bins.from), exactly(bins.to), exactly(bins.width)];
  if (width.n <= 0n) throw new InputError('BAD_BINS', { field: `${field}.width`, detail: 'the width is not above 0' });
  if (cmp(from, to) >= 0)
    throw new InputError('BAD_BINS', { field: `${field}.to`, detail: '`to` is not above `from`' });
  const edges = [from];
  while (cmp(add(edges.at(-1)!, width), to) < 0) {
    if (edges.length >= binsMax) throw tooMany(field);
    edges.push(add(edges.at(-1)!, width));
  }
  return [...edges, to];
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
