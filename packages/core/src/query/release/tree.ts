/**
 * A noisy tree of counts: leaves, and above them the sums of sixteen, until at most sixteen nodes are left.
 *
 * After Hay, Rastogi, Miklau, Suciu (VLDB 2010), with any last node of fewer children. A row is counted in one node of
 * each level, so that sensitivity grows with the levels, and the number below any leaf is a sum of few nodes instead of
 * many leaves. All nodes have the same noise; the estimates that fit all of them best (least squares) come from one pass
 * up, in which a node is averaged with the sum of its children, each weighted by how little noise it has, and one down,
 * in which children are made to add up to their parent.
 * @module
 */

/** Fan-out: at 10,000 leaves four levels, and at most fifteen nodes of each in the number below a leaf. */
const branching = 16;

/** The sizes of the levels, leaves first. */
export function levelsOf(leaves: number): number[] {
  const sizes = [leaves];
  while (sizes.at(-1)! > branching) sizes.push(Math.ceil(sizes.at(-1)! / branching));
  return sizes;
}

/** The leaves below a node of a level, from and before. */
export function leavesBelow(level: number, node: number, leaves: number): [number, number] {
  const span = branching ** level;
  return [node * span, Math.min((node + 1) * span, leaves)];
}

/** The leaves' best estimates from all nodes, level by level, leaves first. */
export function leafEstimates(nodes: readonly number[], leaves: number): number[] {
  const sizes = levelsOf(leaves);
  const starts = sizes.map((_, level) => sizes.slice(0, level).reduce((sum, size) => sum + size, 0));
  const estimate = [...nodes];
  const variance = new Array<number>(nodes.length).fill(1);
  const overChildren = (level: number, act: (node: number, first: number, end: number) => void) => {
    for (let node = 0; node < sizes[level]!; node++) {
      const first = starts[level - 1]! + node * branching;
      act(starts[level]! + node, first, Math.min(first + branching, starts[level]!));
    }
  };
  const total = (values: readonly number[], first: number, end: number) => {
    let sum = 0;
    for (let at = first; at < end; at++) sum += values[at]!;
    return sum;
  };
  for (let level = 1; level < sizes.length; level++) {
    overChildren(level, (node, first, end) => {
      const below = total(variance, first, end);
      estimate[node] = (nodes[node]! * below + total(estimate, first, end)) / (below + 1);
      variance[node] = below / (below + 1);
    });
  }
  for (let level = sizes.length - 1; level >= 1; level--) {
    overChildren(level, (node, first, end) => {
      const missing = estimate[node]! - total(estimate, first, end);
      const below = total(variance, first, end);
      for (let at = first; at < end; at++) estimate[at]! += (missing * variance[at]!) / below;
    });
  }
  return estimate.slice(0, leaves);
}
