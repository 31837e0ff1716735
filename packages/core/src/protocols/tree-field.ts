/**
 * The ground that trees grow on and the code that their leaves go into, in one memory, which a thread makes once.
 * @module
 */
import { type Ground, scratchBytes } from './correlated-tree.ts';
import { type CodeOver, type ExpandConvolute, expandConvolute } from './expand-convolute.ts';

export interface TreeField {
  readonly code: ExpandConvolute;
  readonly ground: Ground;
}

/** A field for so many trees of 2^levels leaves, made at the first call. */
export function treeField(trees: number, levels: number, over: CodeOver): () => TreeField {
  let field: TreeField | undefined;
  return () => {
    if (field === undefined) {
      const code = expandConvolute(trees * 2 ** levels, scratchBytes(trees), undefined, over);
      field = { code, ground: { kernels: code.kernels, leaves: code.noise, scratch: code.scratch } };
    }
    return field;
  };
}
