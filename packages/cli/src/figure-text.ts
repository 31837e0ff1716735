/**
 * The figures of one column as text of equal precision, and beside each noisy one the interval of its noise.
 *
 * A noisy figure has as many digits as its noise leaves meaning: to a tenth or so of its interval's half-width, the
 * smallest of the column deciding. An interval that is as wide below as above is written ± half its width; where any of a
 * column is not, all of it is written [low, high].
 * @module
 */
import { alignNumbers, atRight, type NumberCell, placesMax, placesOf, withThousands } from './table.ts';

export interface FigureCell {
  /** A number, or the text that stands where there is none. */
  readonly figure: NumberCell | string;
  readonly interval?: Interval | undefined;
}

export type Interval = readonly [low: number, high: number];

export interface FigureColumn {
  readonly values: readonly string[];
  /** Empty texts where a cell has none; undefined where no cell has one. */
  readonly intervals: readonly string[] | undefined;
}

/** Digits of the half-width that say something. */
const significant = 2;
const decimalsMax = 12;

export function alignFigures(cells: readonly FigureCell[]): FigureColumn {
  const decimals = decimalsFor(cells);
  if (decimals === undefined) return { values: alignNumbers(cells.map(({ figure }) => figure)), intervals: undefined };
  const values = cells.map(({ figure }) => (typeof figure === 'string' ? figure : fixed(figure.value, decimals)));
  return { values, intervals: intervalTexts(cells, decimals) };
}

/** Undefined where nothing is noisy. */
function decimalsFor(cells: readonly FigureCell[]): number | undefined {
  const intervals = cells.flatMap(({ interval }) => (interval === undefined ? [] : [interval]));
  if (intervals.length === 0) return undefined;
  const halves = intervals.map(([low, high]) => (high - low) / 2).filter((half) => half > 0);
  const places = halves.map((half) => significant - 1 - Math.floor(Math.log10(half)));
  // A count needs no point, however small its noise.
  const exact = cells.flatMap(({ figure }) => (typeof figure === 'string' ? [] : [placesIn(figure)]));
  const needed = Math.max(0, ...exact);
  const wanted = places.length === 0 ? needed : Math.max(...places);
  return Math.min(Math.max(wanted, 0), needed <= placesMax ? needed : decimalsMax);
}

function placesIn({ exact }: NumberCell): number {
  return exact === null ? decimalsMax : placesOf(exact);
}

function intervalTexts(cells: readonly FigureCell[], decimals: number): string[] {
  const ends = cells.map(({ interval }) => interval?.map((end) => fixed(end, decimals)));
  const widths = cells.map((cell) => evenWidth(cell, decimals));
  const areEven = cells.every(({ interval }, at) => interval === undefined || widths[at] !== undefined);
  if (areEven) return widths.map((width) => (width === undefined ? '' : `± ${width}`));
  const lows = atRight(ends.map((pair) => pair?.[0] ?? ''));
  const highs = atRight(ends.map((pair) => pair?.[1] ?? ''));
  return ends.map((pair, at) => (pair === undefined ? '' : `[${lows[at]}, ${highs[at]}]`));
}

/** The width on either side, where both read the same; undefined where they do not. */
function evenWidth({ figure, interval }: FigureCell, decimals: number): string | undefined {
  if (interval === undefined || typeof figure === 'string') return undefined;
  const [below, above] = [figure.value - interval[0], interval[1] - figure.value];
  const text = fixed(Math.max(below, above), decimals);
  return Math.abs(above - below) <= 10 ** -decimals / 2 ? text : undefined;
}

function fixed(value: number, decimals: number): string {
  if (Math.abs(value) >= 1e15) return value.toExponential(6);
  return withThousands(value.toFixed(decimals).replace(/^-(?=[0.]*$)/, ''));
}

/** Six significant digits: coefficients of one fit may be of very different sizes. */
export function significantText(value: number): string {
  if (value !== 0 && (Math.abs(value) < 1e-6 || Math.abs(value) >= 1e12)) return value.toExponential(5);
  const digits = value === 0 ? 0 : Math.max(0, 5 - Math.floor(Math.log10(Math.abs(value))));
  return withThousands(value.toFixed(digits));
}

/** A figure by itself, with digits for its noise: its text, and that of its interval. */
export function noisyText(value: number, interval: Interval): { value: string; interval: string } {
  const { values, intervals } = alignFigures([{ figure: { value, exact: null }, interval }]);
  return { value: values[0]!, interval: intervals![0]! };
}
