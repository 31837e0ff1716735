/**
 * Variance, its root, covariance and correlation, from moments about the midpoints, with z in [−1, 1]:
 *
 *   variance = (W/2)² (Σz² − (Σz)²/n) / (n − 1)                within [0, (W/2)² n/(n − 1)]
 *   covariance = (W/2)(V/2) (Σzz' − Σz Σz'/n) / (n − 1)        within ± the root of both variances' bounds
 *   correlation = C₁₂ / √(C₁₁ C₂₂), C = Σzz' − Σz Σz'/n         within [−1, 1]
 *
 * Not defined where the noisy count is below 2, nor the correlation where the noise leaves no spread of a column.
 * @module
 */
import type { Dataset } from '../dictionary.ts';
import {
  centredOf,
  centredPart,
  clamp,
  productOf,
  productPart,
  rangeOf,
  squareOf,
  squarePart,
  unitOf,
} from './moments.ts';
import { counted, type Draft, single, undefinedNumbers } from './release.ts';
import type { Shield } from './shield.ts';

export const variance = spread((value) => value);
export const stddev = spread(Math.sqrt);

function spread(transform: (variance: number) => number): Shield<string> {
  return (column, dataset, [n, x, xx]) => {
    const range = rangeOf(dataset, column);
    return {
      drafts: [
        counted(n!),
        single(`${column} about its midpoint`, centredPart(n!, x!, range), range.width),
        single(`squares of ${column}`, squarePart(n!, x!, xx!, range), range.width ** 2n),
      ],
      derive: ([n, sum, square]) => {
        if (n! < 2) return undefinedNumbers(1);
        const about = squareOf(square!, n!, range) - centredOf(sum!, range) ** 2 / n!;
        return [transform((unitOf(range) ** 2 * clamp(about, 0, n!)) / (n! - 1))];
      },
      show: ([number]) => number!,
    };
  };
}

type Pair = readonly [string, string];

function productOfColumns(dataset: Dataset, [a, b]: Pair) {
  return [rangeOf(dataset, a), rangeOf(dataset, b)] as const;
}

export const covariance: Shield<Pair> = (pair, dataset, [n, x, y, xy]) => {
  const ranges = productOfColumns(dataset, pair);
  const [a, b] = ranges;
  return {
    drafts: [
      counted(n!),
      single(`${a.name} about its midpoint`, centredPart(n!, x!, a), a.width),
      single(`${b.name} about its midpoint`, centredPart(n!, y!, b), b.width),
      single(`products of ${a.name} and ${b.name}`, productPart(n!, [x!, y!], xy!, ranges), a.width * b.width),
    ],
    derive: ([n, x, y, xy]) => {
      if (n! < 2) return undefinedNumbers(1);
      const together = productOf(xy!, ranges) - (centredOf(x!, a) * centredOf(y!, b)) / n!;
      return [(unitOf(a) * unitOf(b) * clamp(together, -n!, n!)) / (n! - 1)];
    },
    show: ([number]) => number!,
  };
};

export const correlation: Shield<Pair> = (pair, dataset, [n, x, y, xx, yy, xy]) => {
  const ranges = productOfColumns(dataset, pair);
  const [a, b] = ranges;
  const drafts: Draft[] = [
    counted(n!),
    single(`${a.name} about its midpoint`, centredPart(n!, x!, a), a.width),
    single(`${b.name} about its midpoint`, centredPart(n!, y!, b), b.width),
    single(`squares of ${a.name}`, squarePart(n!, x!, xx!, a), a.width ** 2n),
    single(`squares of ${b.name}`, squarePart(n!, y!, yy!, b), b.width ** 2n),
    single(`products of ${a.name} and ${b.name}`, productPart(n!, [x!, y!], xy!, ranges), a.width * b.width),
  ];
  return {
    drafts,
    spanMax: 1,
    derive: ([n, x, y, xx, yy, xy]) => {
      const [sx, sy] = [centredOf(x!, a), centredOf(y!, b)];
      const [cxx, cyy] = [squareOf(xx!, n!, a) - sx ** 2 / n!, squareOf(yy!, n!, b) - sy ** 2 / n!];
      if (!(n! >= 2 && cxx > 0 && cyy > 0)) return undefinedNumbers(1);
      return [clamp((productOf(xy!, ranges) - (sx * sy) / n!) / Math.sqrt(cxx * cyy), -1, 1)];
    },
    show: ([number]) => number!,
  };
};
