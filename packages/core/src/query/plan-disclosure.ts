/**
 * What a job opens, and what is decided before it does (of an exact job, on shares) or left out afterwards (of a
 * protected one, by the analyst's software), in words.
 * @module
 */
import { mul, type Rational, rational, toDecimal } from '../algebra/rational.ts';
import type { CheckedJob } from './check-job.ts';
import { compileWhere } from './condition.ts';
import { columnText, conditionText, statisticTexts, type Worded } from './condition-text.ts';
import type { Disclosure } from './disclosure.ts';
import type { Having } from './having.ts';
import type { Measure } from './job.ts';
import type { Figure, Prepared } from './measure/family.ts';
import { listed } from './name.ts';
import { headcount, openedMeasures } from './prepared.ts';
import type { LocalQuery } from './statistic.ts';
import type { Strictness } from './strictness.ts';

export interface PlannedMeasure {
  readonly name: string;
  readonly operation: string;
  /** What the analyst's software receives for it, in words. */
  readonly opens: readonly string[];
  /** The counts of people or rows that are compared with the threshold. */
  readonly tests: readonly string[];
}

export const operationOf = (measure: Measure): string => (measure === 'count' ? 'count' : Object.keys(measure)[0]!);

/** The dataset of a job as its columns are called in texts. */
export function worded({ dataset, join }: Pick<CheckedJob, 'dataset' | 'join'>): Worded {
  if (join === null) return dataset;
  const sides = { left: join.left.party, right: join.right.party };
  // What a join that reveals its matches counts are these, and not their pairs of rows.
  return join.reveal === null ? { ...dataset, sides } : { ...dataset, max_rows_per_unit: 1, sides };
}

export function planMeasures(checked: CheckedJob, query: LocalQuery, strictness: Strictness): PlannedMeasure[] {
  const { job } = checked;
  const dataset = worded(checked);
  const prepared = new Map(openedMeasures(checked));
  return Object.entries(job.measures).map(([name, measure]) => {
    const own = prepared.get(name)!;
    const heads = own.parts.flatMap(({ tested }) =>
      tested.map((condition) => headcount(condition, dataset, query.ownParty)),
    );
    return {
      name,
      operation: operationOf(measure),
      opens: opensTexts(own, dataset, strictness),
      tests: statisticTexts(heads, dataset),
    };
  });
}

function opensTexts(prepared: Prepared, dataset: Worded, { round }: Strictness): string[] {
  const { statistics, parts, units } = prepared;
  const figures = parts.flatMap((part) => part.figures);
  const sums = figures.flatMap((figure) => (figure.kind === 'sum' ? [statistics[figure.of]!] : []));
  const texts = statisticTexts(sums, dataset);
  const rounded = units !== undefined && round > 1 ? `rounded to a multiple of ${round}` : '';
  return [
    ...(rounded !== '' && texts.length === 1 ? [`${texts[0]}, ${rounded}`] : texts),
    ...(rounded !== '' && texts.length > 1 ? [`each ${rounded}`] : []),
    ...figures.flatMap((figure) => derivedText(figure, prepared, dataset)),
  ];
}

function derivedText(figure: Figure, { statistics }: Prepared, dataset: Worded): string[] {
  if (figure.kind === 'sum') return [];
  if (figure.kind === 'quantile') {
    const rank = toDecimal(figure.rank, { significant: 12 });
    return [`the bin that holds the ${rank}-quantile, and its place within that bin; no count of any bin`];
  }
  const [over, under] = [figure.numerator, figure.denominator].map(
    (at) => statisticTexts([statistics[at]!], dataset)[0],
  );
  return [`${over}, divided by ${under} and rounded; neither of the two`];
}

/** What the figures are over, one by one. */
export function placesText({ cells, groups, having, top, total, privacy, join }: CheckedJob): string {
  const count = String(cells).replace(/\B(?=(\d{3})+$)/g, ',');
  const chooses = privacy === null && (having.length > 0 || top !== null);
  const all = join === null ? 'all rows together' : 'all of them together';
  if (groups.length === 0) return chooses ? `${all}, if the job’s conditions hold` : all;
  const each = chooses ? `each of the ${count} groups that opens` : `each of the ${count} groups`;
  return total ? `${each}, and for all of them together` : each;
}

const comparisons: Readonly<Record<Having['op'], string>> = {
  gt: 'more than',
  gte: 'at least',
  lt: 'less than',
  lte: 'at most',
};

/** A figure of a condition that has no other name than what it is of. */
function figureText(measure: Measure, dataset: Worded): string {
  if (typeof measure === 'object' && 'count' in measure) {
    const where = conditionText(compileWhere(measure.count.where, dataset), dataset);
    return where === '' ? 'count' : `count where ${where}`;
  }
  if (typeof measure === 'object' && 'ratio' in measure) {
    const { ratio } = measure;
    const [over, under] = 'numerator' in ratio ? [ratio.numerator, ratio.denominator] : ratio;
    return `ratio of ${columnText(over, dataset)} to ${columnText(under, dataset)}`;
  }
  return measure === 'count' ? 'count' : `${operationOf(measure)} of ${columnText(Object.values(measure)[0], dataset)}`;
}

/** `households is at least 50 and less than 400`, for each name. */
function conditionTexts(checked: CheckedJob): string[] {
  const { job, having } = checked;
  const dataset = worded(checked);
  return [...Map.groupBy(having, ({ name }) => name)].map(([name, tests]) => {
    const own = name in job.measures ? '' : ` (the ${figureText(tests[0]!.measure, dataset)}, which is not opened)`;
    const compared = tests.map(({ op, value }) => `${comparisons[op]} ${toDecimal(value, { significant: 20 })}`);
    return `${name}${own} is ${listed(compared)}`;
  });
}

/** 4/5 as `80 %`. */
export function percentText(share: Rational): string {
  return `${toDecimal(mul(share, rational(100n)), { significant: 12 })} %`;
}

/** Every decision that is made on shares, in the order in which they are made. */
export function decisionTexts(
  checked: CheckedJob,
  { threshold, gaps, partitions, total }: Disclosure,
  { dominance, round }: Strictness,
): string[] {
  const { groups, having, top } = checked;
  const texts: string[] = [];
  if (threshold > 1) {
    texts.push(
      `A number behind which fewer than ${threshold} people stand is multiplied by zero before anyone receives it. What arrives is a mark that it is withheld; whether nobody is behind it or almost enough, nobody learns.`,
    );
  }
  for (const { n, share } of dominance) {
    const largest = n === 1 ? 'one person' : `${n} people together`;
    texts.push(
      `A sum of which ${largest} may have more than ${percentText(share)} is withheld the same way, with all that opens together with it.`,
    );
  }
  if (partitions.length > 0) {
    texts.push(
      'Where parts of one whole are shown beside it, what is withheld of them must be at least as many people together; else the smallest part that would be shown is withheld too, so that no subtraction tells it.',
    );
  }
  if (gaps.length > 0) {
    texts.push(
      'Where sums or counts over some rows are shown beside those over a part of these rows, the rows between them must be nobody’s or those of enough people; else the part is withheld.',
    );
  }
  if (total && threshold > 0) {
    texts.push(
      'So that the total does not give a withheld group away: where the groups withheld are too few people together, the smallest of the others is withheld whole, however large it is. A group’s figures open all or none.',
    );
  }
  if (round > 1) {
    texts.push(
      `Counts, sums and bins are rounded to the nearest multiple of ${round} before they open, and what is divided before it is.`,
    );
  }
  const few = threshold > 1 ? ` Nor does it where fewer than ${threshold} people stand behind what is compared.` : '';
  const rest = groups.length === 0 ? 'Otherwise nothing opens' : 'Nothing of any other opens';
  const seen = `${rest}, and the analyst sees only that.${few}`;
  const compared = round > 1 ? ' Counts and sums are compared as they are rounded.' : '';
  if (having.length > 0) {
    const conditions = conditionTexts(checked).join(', and ');
    const what = groups.length === 0 ? `Figures open only if` : `A group opens only if`;
    texts.push(`${what} ${conditions}. ${seen}${compared}`);
  }
  if (top !== null) {
    const among = having.length > 0 ? 'Of these only' : 'Only';
    texts.push(
      `${among} the ${top.count} groups with the greatest ${top.by} open, by name and value. ${seen}${having.length > 0 ? '' : compared}`,
    );
  }
  return texts;
}

/** What the analyst's software does with the figures of a protected job that have been opened. */
export function selectionTexts(checked: CheckedJob, { dominance, round }: Strictness): string[] {
  const { groups, having, top } = checked;
  const texts: string[] = [];
  if (round > 1) {
    texts.push(
      `Counts, sums and bins are rounded to the nearest multiple of ${round}, with their noise, and the ends of their intervals outward.`,
    );
  }
  if (having.length > 0) {
    const what = groups.length === 0 ? 'The figures are' : 'A group is';
    texts.push(
      `${what} shown only if, with noise, ${conditionTexts(checked).join(', and ')}. Near such a limit it is chance that decides.`,
    );
  }
  if (top !== null) {
    const among = having.length > 0 ? 'Of these only' : 'Only';
    texts.push(
      `${among} the ${top.count} groups with the greatest ${top.by}, noise included, are shown. Who is chosen by a noisy figure has more often than not noise that lifts it; intervals do not allow for that.`,
    );
  }
  if (dominance.length > 0) {
    texts.push('The rule on large contributors is not applied: the noise covers what any one person can change.');
  }
  return texts;
}
