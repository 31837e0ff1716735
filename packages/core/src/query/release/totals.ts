/**
 * Counts, sums and histograms: every figure that is opened is a number of the answer.
 *
 * Bins and what lies outside them part the rows, so all of them are one release with the noise of one count.
 * @module
 */
import type { Where } from '../condition.ts';
import type { Bins } from '../job.ts';
import { edgesOf, shownEdges } from '../measure/bins.ts';
import { countPart, rangeOf } from './moments.ts';
import { counted, disjoint, single } from './release.ts';
import type { Shield } from './shield.ts';

const asTheyAre = (figures: readonly number[]) => figures;

export const count: Shield<{ readonly where?: Where }> = ({ where }, _dataset, [n]) => ({
  drafts: [where === undefined ? counted(n!) : single('count under a condition', countPart(n!), 1n)],
  exponent: 0,
  derive: asTheyAre,
  show: ([number]) => number!,
});

export const sum: Shield<string> = (column, dataset, [x]) => {
  const { reach, scale } = rangeOf(dataset, column);
  return {
    drafts: [single(`sum of ${column}`, [[x!, 1n]], reach)],
    exponent: -scale,
    derive: asTheyAre,
    show: ([number]) => number!,
  };
};

export const histogram: Shield<{ readonly of: string; readonly bins: Bins }> = ({ of, bins }, _dataset, counts) => {
  const edges = shownEdges(edgesOf(bins, 'bins'));
  return {
    drafts: [disjoint(`bins of ${of}`, counts.map(countPart), 1n)],
    exponent: 0,
    derive: asTheyAre,
    isSeparate: true,
    show: (numbers) => ({
      bins: numbers.slice(0, -2).map((number, at) => ({ from: edges[at]!, to: edges[at + 1]!, ...number })),
      below: numbers.at(-2)!,
      above: numbers.at(-1)!,
    }),
  };
};
