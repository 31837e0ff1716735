/**
 * The noisy tree: its shape, and that its leaves are the best that fit all nodes.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafEstimates, leavesBelow, levelsOf } from '../src/query/release/tree.ts';

/** Every node, level by level, as the leaves below it. */
function nodesOf(leaves: number): [number, number][] {
  return levelsOf(leaves).flatMap((size, level) =>
    Array.from({ length: size }, (_, node) => leavesBelow(level, node, leaves)),
  );
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

describe('a noisy tree', () => {
  it('has levels of sixteens, until sixteen nodes are left', () => {
    expect(levelsOf(3)).toEqual([3]);
    expect(levelsOf(16)).toEqual([16]);
    expect(levelsOf(17)).toEqual([17, 2]);
    expect(levelsOf(10_002)).toEqual([10_002, 626, 40, 3]);
    expect(leavesBelow(1, 1, 17)).toEqual([16, 17]);
  });

  it('gives the leaves themselves where there is no noise', () => {
    const leaves = Array.from({ length: 300 }, (_, at) => (at * 7) % 11);
    const nodes = nodesOf(300).map(([from, to]) => sum(leaves.slice(from, to)));
    leafEstimates(nodes, 300).forEach((leaf, at) => {
      expect(leaf).toBeCloseTo(leaves[at]!, 9);
    });
  });

  it('fits all nodes best: what is left of them is orthogonal to every leaf', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 600 }),
        fc.infiniteStream(fc.integer({ min: -50, max: 50 })),
        (count, noise) => {
          const spans = nodesOf(count);
          const nodes = spans.map(([from, to]) => to - from + noise.next().value!);
          const leaves = leafEstimates(nodes, count);
          const below = [0];
          for (const leaf of leaves) below.push(below.at(-1)! + leaf);
          const left = nodes.map((node, at) => node - (below[spans[at]![1]]! - below[spans[at]![0]]!));
          for (let leaf = 0; leaf < count; leaf += 1 + (count >> 4)) {
            const over = left.filter((_, at) => spans[at]![0] <= leaf && leaf < spans[at]![1]);
            expect(Math.abs(sum(over))).toBeLessThan(1e-6);
          }
        },
      ),
      { numRuns: 100, seed: 3 },
    );
  });
});
