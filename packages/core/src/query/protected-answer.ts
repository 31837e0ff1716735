/**
 * From the opened noisy figures of a protected job to its answer: every measure with the interval of its noise.
 *
 * All of it is post-processing: nothing here is known but what the noise protects already, so values may be kept within
 * the bounds of the dictionary and nothing is charged for it. Where a figure is itself the number of the answer, its
 * interval comes from the exact distribution of the noise of all parties, and from the most that their rounding can
 * make. Elsewhere the noise is drawn some hundred times anew, from a seed that is the job's id, and taken off the noisy
 * figures: what the measure is then, in the middle 95% of draws, is the interval. Sampling error is apart.
 *
 * A threshold acts only on noisy counts that are released: a measure whose own count is among them is withheld where it
 * falls short. That protects nobody; the noise does. It keeps what says nothing out of a table. The same goes for
 * `having`, `top` and rounding, which act on what is shown (see shown-rows.ts): where counts, sums and bins are rounded,
 * the ends of their intervals are moved outward to multiples of the base, so that they hold at least as often.
 * @module
 */
import { fromHex } from '../algebra/bytes.ts';
import { decodeDecimal } from '../algebra/fixed-point.ts';
import { rational, toNumber } from '../algebra/rational.ts';
import { type Answer, type AnswerCost, type AnswerRow, groupValues, suppressedIn } from './answer.ts';
import type { CheckedJob } from './check-job.ts';
import { decimalText } from './document.ts';
import { type MeasureValue, none, type Scalar, shift, suppressed } from './measure/family.ts';
import { error95Of, privacyReport } from './privacy-report.ts';
import type { Protection } from './protection.ts';
import type { PlacedMeasure } from './release/releases.ts';
import { Simulation } from './release/simulation.ts';
import { nearestMultiple, shownRows, widened } from './shown-rows.ts';
import type { LocalQuery } from './statistic.ts';

export interface NoisyOpened {
  readonly job: string;
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly protection: Protection;
  /** `[part][cell]`: opened sums of all parties' multiples of the lattice, and of their noise. */
  readonly totals: readonly (readonly bigint[])[];
  /** The least number of people behind a number that is shown, as far as noisy counts tell; 0 for none. */
  readonly threshold: number;
  /** What counts, sums and bins are rounded to; 1 where they are not. */
  readonly round: number;
  readonly periods: Readonly<Record<string, string>>;
  readonly cost?: AnswerCost;
  readonly receipts?: readonly unknown[];
}

/** How often a measure is computed anew, the most that fits; of each, the middle 95% is a whole number of draws. */
const drawCounts = [399, 199, 119, 79, 39];
/** Figures drawn in all: one or two seconds. Beyond it there are no intervals. */
const figuresMax = 2e7;
/** More draws than this without a value, and what is left of the noise says little. */
const lostMax = 0.025;

const dominated = 'the noise is as large as what is measured';
const uncounted = 'there are too many numbers to draw an interval for each';

export function finishProtected(opened: NoisyOpened): Answer {
  const { job, checked, query, protection, threshold, round, periods, cost, receipts } = opened;
  const estimates = estimatesOf(opened);
  const simulation = new Simulation(protection.releases, fromHex(job));
  const finishers = protection.measures.map((measure) => ({
    name: measure.name,
    finish: finisher(measure, { estimates, protection, simulation, threshold, round, draws: drawsFor(protection) }),
  }));
  const all = Array.from({ length: query.cells }, (_, cell): AnswerRow => {
    const values = new Map(finishers.map(({ name, finish }) => [name, finish(cell)]));
    const inOrder = Object.keys(checked.job.measures).map((name) => [name, values.get(name)!] as const);
    return Object.fromEntries([...groupValues(query.groups, cell), ...inOrder]);
  });
  const rows = shownRows(checked, all);
  const isChosen = checked.having.length > 0 || checked.top !== null;
  return {
    job,
    title: checked.job.title ?? '',
    status: 'DONE',
    rows,
    privacy: privacyReport(checked, protection, periods),
    suppressed: rows.reduce((count, row) => count + suppressedIn(row), 0),
    ...(isChosen ? { left_out: all.length - rows.length } : {}),
    threshold,
    ...(round === 1 ? {} : { round }),
    parties: checked.parties,
    cost: cost ?? null,
    receipts: receipts ?? [],
  };
}

/**
 * `[part][cell]`, in the integers of the combinations: what every party lost by rounding down is put back on average, or
 * what it added below the lattice is taken off.
 */
function estimatesOf({ protection: { releases, parties, isDithered }, totals }: NoisyOpened): bigint[][] {
  return releases.flatMap(({ parts, first, lattice }) => {
    const rounding = (BigInt(parties) * (lattice - 1n)) / 2n;
    const estimate = (total: bigint) => (isDithered ? total - rounding : total * lattice + rounding);
    return parts.map((_, at) => totals[first + at]!.map(estimate));
  });
}

/** How many draws there are for each number of this answer; 0 where none fit. */
function drawsFor({ measures, layout: { cells } }: Protection): number {
  const drawn = measures.filter(({ shielded }) => shielded.exponent === undefined);
  const figures = drawn.reduce((sum, { parts }) => sum + parts.length * cells, 0);
  return drawCounts.find((draws) => draws * figures <= figuresMax) ?? 0;
}

interface Setting {
  readonly estimates: readonly (readonly bigint[])[];
  readonly protection: Protection;
  readonly simulation: Simulation;
  readonly threshold: number;
  readonly round: number;
  readonly draws: number;
}

/** The way from a cell to a measure's value. */
function finisher(measure: PlacedMeasure, setting: Setting): (cell: number) => MeasureValue {
  const { shielded, parts, counted } = measure;
  const { estimates, protection, threshold } = setting;
  const { releases, person } = protection;
  // The least number of distinct people that a count of rows allows.
  const needed = BigInt(threshold) * person.rows * person.parties;
  const places = parts.map((part) => releases.findLastIndex(({ first }) => first <= part));
  const compute =
    shielded.exponent === undefined ? simulating(measure, places, setting) : stating(measure, places, setting);
  return (cell) => {
    // Without a threshold a noisy count below zero is shown as well: to leave it out would lift the others.
    const isShown = counted.map((part) => threshold === 0 || part === undefined || estimates[part]![cell]! >= needed);
    if (!shielded.isSeparate && isShown.includes(false)) return suppressed;
    const { numbers, warning } = compute(parts.map((part) => estimates[part]![cell]!));
    const value = shielded.show(shielded.isSeparate ? numbers.map((n, at) => (isShown[at] ? n : suppressed)) : numbers);
    return warning === undefined ? value : { ...value, warning };
  };
}

type Compute = (figures: readonly bigint[]) => Numbers;

interface Numbers {
  readonly numbers: readonly Scalar[];
  readonly warning: string | undefined;
}

/** Every figure is a number of the answer: a count, a sum or a bin. */
function stating({ shielded }: PlacedMeasure, places: readonly number[], { protection, round }: Setting): Compute {
  const errors = protection.releases.map((release) => error95Of(release, protection.parties));
  const stated = (figure: bigint, error: number) =>
    round === 1 ? direct(figure, error, shielded.exponent!) : rounded(figure, error, shielded.exponent!, round);
  return (figures) => ({
    numbers: figures.map((figure, at) => stated(figure, errors[places[at]!]!)),
    warning: undefined,
  });
}

function direct(figure: bigint, error: number, exponent: number): Scalar {
  const unit = 10 ** -exponent;
  const middle = Number(figure);
  return {
    value: toNumber(shift(rational(figure), exponent)),
    exact: decodeDecimal(figure, -exponent),
    ci95: [(middle - error) / unit, (middle + error) / unit],
  };
}

function rounded(figure: bigint, error: number, exponent: number, round: number): Scalar {
  const { value, exact } = direct(nearestMultiple(figure, BigInt(round) * 10n ** BigInt(-exponent)), error, exponent);
  return { value, exact, ci95: widened(direct(figure, error, exponent).ci95!, round) };
}

function simulating(measure: PlacedMeasure, places: readonly number[], setting: Setting): Compute {
  return (exact) => simulated(measure, places, exact, setting);
}

function simulated(
  { shielded }: PlacedMeasure,
  places: readonly number[],
  exact: readonly bigint[],
  { simulation, draws }: Setting,
): Numbers {
  const figures = exact.map(Number);
  const values = [...shielded.derive(figures)];
  if (Number.isNaN(values[0])) return { numbers: values.map((value) => shownAs(value)), warning: dominated };
  const drawn: number[][] = values.map(() => []);
  // The noise is symmetric, so what it was added to is as likely above as below.
  const sign = shielded.isLifted ? -1 : 1;
  for (let draw = 0; draw < draws; draw++) {
    const numbers = shielded.derive(figures.map((figure, at) => figure - sign * simulation.noise(places[at]!)));
    if (!Number.isNaN(numbers[0])) for (const [at, number] of numbers.entries()) drawn[at]!.push(number);
  }
  const intervals = drawn.map(middle95);
  if (shielded.isLifted && intervals[0] !== undefined)
    [values[0], intervals[0]] = lowered(values[0]!, drawn[0]!, intervals[0]);
  const span = intervals[0] === undefined ? 0 : intervals[0][1] - intervals[0][0];
  const isLost = draws - drawn[0]!.length > lostMax * draws || span > (shielded.spanMax ?? Number.POSITIVE_INFINITY);
  return {
    numbers: values.map((value, at) => shownAs(value, intervals[at])),
    warning: draws === 0 ? uncounted : isLost ? dominated : undefined,
  };
}

/**
 * With noise e on top, the draws show by how much f(x + e) exceeds f(x), and the mean of this is taken off the value. The
 * truth may lie where the value less what was drawn lies (the basic bootstrap), or where the draws lie that have been
 * lifted twice; neither is exact for a sum of squares, and the wider ends are shown.
 */
function lowered(
  noisy: number,
  drawn: readonly number[],
  [low, high]: readonly [number, number],
): [number, [number, number]] {
  const lift = drawn.reduce((sum, value) => sum + value, 0) / drawn.length - noisy;
  const from = Math.min(2 * noisy - high, low - 2 * lift);
  const to = Math.max(2 * noisy - low, high - 2 * lift);
  return [Math.max(noisy - lift, 0), [Math.max(from, 0), Math.max(to, 0)]];
}

/** With 39 draws the least and the greatest, with 399 the tenth from either end. */
function middle95(drawn: readonly number[]): [number, number] | undefined {
  if (drawn.length < drawCounts.at(-1)! / 2) return undefined;
  const sorted = Float64Array.from(drawn).sort();
  const from = Math.max(Math.round((sorted.length + 1) / 40) - 1, 0);
  return [sorted[from]!, sorted[sorted.length - 1 - from]!];
}

function shownAs(value: number, ci95?: readonly [number, number]): Scalar {
  if (Number.isNaN(value)) return none;
  const number = { value, exact: decimalText(value) };
  return ci95 === undefined ? number : { ...number, ci95 };
}
