/**
 * What an exact job opens, and what is decided on shares before it does, in words.
 * @module
 */
import { toDecimal } from '../algebra/rational.ts';
import type { CheckedJob } from './check-job.ts';
import { statisticTexts } from './condition-text.ts';
import type { Dataset } from './dictionary.ts';
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

export function planMeasures(checked: CheckedJob, query: LocalQuery, strictness: Strictness): PlannedMeasure[] {
  const { dataset, job } = checked;
  const prepared = new Map(openedMeasures(checked, strictness));
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

function opensTexts(prepared: Prepared, dataset: Dataset, { round }: Strictness): string[] {
  const { statistics, parts, unit } = prepared;
  const figures = parts.flatMap((part) => part.figures);
  const sums = figures.flatMap((figure) => (figure.kind === 'sum' ? [statistics[figure.of]!] : []));
  const rounded = unit !== undefined && round > 1 ? `, rounded to a multiple of ${round}` : '';
  return [
    ...statisticTexts(sums, dataset).map((text) => text + rounded),
    ...figures.flatMap((figure) => derivedText(figure, prepared, dataset)),
  ];
}

function derivedText(figure: Figure, { statistics }: Prepared, dataset: Dataset): string[] {
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

const comparisons: Readonly<Record<Having['op'], string>> = {
  gt: 'is more than',
  gte: 'is at least',
  lt: 'is less than',
  lte: 'is at most',
};

/** Every decision that is made on shares, in the order in which they are made. */
export function decisionTexts(
  { job, having, top }: CheckedJob,
  { threshold, partitions, total }: Disclosure,
  { dominance }: Strictness,
): string[] {
  const texts: string[] = [];
  if (threshold > 1) {
    texts.push(
      `A number behind which fewer than ${threshold} people stand is multiplied by zero before anyone receives it. What arrives is a mark that it is withheld; whether nobody is behind it or almost enough, nobody learns.`,
    );
  }
  for (const { n, share } of dominance) {
    const largest = n === 1 ? 'largest contributor has' : `${n} largest contributors together have`;
    texts.push(
      `A sum of which the ${largest} more than ${toDecimal(share, { significant: 12 })} of the whole is withheld the same way, with all that opens together with it.`,
    );
  }
  if (partitions.length > 0) {
    texts.push(
      'Where parts of one whole are shown beside it, what is withheld of them must be at least as many people together; else the smallest part that would be shown is withheld too, so that no subtraction tells it.',
    );
  }
  if (total && threshold > 0) {
    texts.push(
      'The same holds for the groups under their total: where too few people are withheld, the smallest group is withheld whole.',
    );
  }
  if (having.length > 0) {
    const conditions = having.map(({ name, op, value, measure }) => {
      const what = name in job.measures ? name : `${name} (${operationOf(measure)})`;
      return `${what} ${comparisons[op]} ${toDecimal(value, { significant: 20 })}`;
    });
    texts.push(
      `A group opens only where ${listed(conditions)}. Of the others nothing opens but that they are not shown.`,
    );
  }
  if (top !== null) {
    texts.push(
      `Only the ${top.count} groups with the greatest ${top.by} open, by name and value. Of the others nothing opens.`,
    );
  }
  return texts;
}
