/**
 * What the two sides of a join bring to it: of each of their rows a cell and some integers, the features.
 *
 * A sum over pairs of rows with one key factors into features of either side:
 *
 *   statistic[cell(a, b)] = Σ over its terms, Σ over keys of both sides, Σ over their rows x and y:  left(x)·right(y)
 *
 * for the rows x of cell a and y of cell b. Conditions on both sides at once are split into terms that exclude one
 * another, so that each factor sees one side alone.
 * @module
 */
import type { Condition } from './condition.ts';
import type { Dataset } from './dictionary.ts';
import type { GroupKey } from './group-key.ts';

export type SideName = 'left' | 'right';

/** An integer of a row: the product of these columns where the condition is true, and 0 elsewhere. Names are the side's own. */
export interface Feature {
  /**
   * `rows`: of every row. `people`: an indicator, 1 for the first row of a key in each cell that meets the condition and 0
   * for its others; its product is empty.
   */
  readonly of: 'rows' | 'people';
  readonly product: readonly string[];
  readonly where: Condition;
  /** No row's feature is outside. */
  readonly min: bigint;
  readonly max: bigint;
}

/** What one side reads. */
export interface SideQuery {
  readonly party: string;
  /** The party's own dataset, under its own names; as protected jobs read it where the job is one. */
  readonly dataset: Dataset;
  /** The identifier column that is matched on. */
  readonly key: string;
  /** Rows of one key that count. */
  readonly rowsPerKey: number;
  /** The columns that are read, in the dictionary's order, without identifiers. */
  readonly columns: readonly string[];
  /** What rows have to meet to take part at all. */
  readonly where: Condition;
  readonly groups: readonly GroupKey[];
  /** Cells of this side's groups, the last group varying fastest; 1 without groups. */
  readonly cells: number;
  readonly features: readonly Feature[];
}

/** A part of a statistic: indices into the features of either side. */
export interface JoinTerm {
  readonly statistic: number;
  readonly left: number;
  readonly right: number;
}

export interface JoinQuery {
  readonly left: SideQuery;
  readonly right: SideQuery;
  readonly terms: readonly JoinTerm[];
  /** The job's cell of the left cell a and the right cell b: `cellOf[a · right.cells + b]`. */
  readonly cellOf: Int32Array;
}

/** A party's rows, as its source gives them: one entry for each row that the unit rule and the null rule leave. */
export interface SideRecords {
  /** As they stand in the records; null where there is none. */
  readonly identifiers: readonly (string | null)[];
  /** The row's cell; −1 where the row does not meet `where` or has no group. */
  readonly cells: Int32Array;
  /** `[feature][row]`; that of `people` is the condition alone, whatever other rows the key has. */
  readonly features: readonly BigInt64Array[];
}
