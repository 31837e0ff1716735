/**
 * Conditions over encoded column values, as plain data: a job's `where` compiled against the dictionary.
 *
 * The logic is SQL's, with three values: what compares with a null is neither true nor false.
 * @module
 */

export type Condition =
  | { readonly kind: 'true' }
  | {
      readonly kind: 'compare';
      readonly column: string;
      readonly op: 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte';
      readonly value: bigint;
      readonly transform?: 'year';
    }
  | { readonly kind: 'in'; readonly column: string; readonly values: readonly bigint[] }
  /** Sees the raw value, before the null rule. */
  | { readonly kind: 'is_null'; readonly column: string }
  /** Not null after the null rule. */
  | { readonly kind: 'present'; readonly column: string }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };

export interface GroupKey {
  /** As the job wrote it: `tenure`, `year(moved_in)`. */
  readonly name: string;
  readonly column: string;
  readonly transform: 'value' | 'year';
  /** The cell index of an encoded value v is transform(v) − first. */
  readonly first: bigint;
  readonly labels: readonly (string | number | boolean)[];
}
