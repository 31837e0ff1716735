/**
 * Counts over declared bins, and of what lies below and above them. Each is a count of people, and is tested by itself.
 * @module
 */
import { rational } from '../../algebra/rational.ts';
import type { Bins } from '../job.ts';
import { binConditions, checkBins, countBins, edgesOf, shownEdges } from './bins.ts';
import { countOf, type Family, present, scalar, scaleOf, suppressed } from './family.ts';

export const histogram: Family<{ readonly of: string; readonly bins: Bins }> = {
  measured: ({ of }) => [{ column: of, path: 'histogram.of' }],
  grouping: () => [],
  sums: ({ bins }) => countBins(bins) + 2,
  check({ bins }, _, field) {
    checkBins(bins, `${field}.histogram.bins`);
  },
  prepare({ of, bins }, dataset, field) {
    const edges = edgesOf(bins, `${field}.histogram.bins`);
    const shown = shownEdges(edges);
    const conditions = binConditions(of, scaleOf(dataset, of), edges, present(dataset, [of]));
    const parts = [...conditions.bins, conditions.below, conditions.above];
    return {
      statistics: parts.map(countOf),
      parts: parts.map((part, of) => ({ tested: [part], figures: [{ kind: 'sum', of }], rows: [part] })),
      units: parts.map(() => 1n),
      finish(opened) {
        const cells = opened.map((numbers) => (numbers === null ? suppressed : scalar(rational(numbers[0]!))));
        return {
          bins: cells.slice(0, -2).map((cell, at) => ({ from: shown[at]!, to: shown[at + 1]!, ...cell })),
          below: cells.at(-2)!,
          above: cells.at(-1)!,
        };
      },
    };
  },
};
