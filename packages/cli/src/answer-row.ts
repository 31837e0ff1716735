/**
 * What text reads in an answer: its rows, and how a row or a figure shows what it is.
 * @module
 */
import type { Protection } from './protection-text.ts';

export type Row = Readonly<Record<string, unknown>>;

/** As much of an answer as text needs: rows of group values and measures, in the form that `--json` prints. */
export interface AnswerLike {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly threshold: number;
  /** How many groups did not open, where the job chooses among them. */
  readonly left_out?: number;
  /** What counts and sums are rounded to. */
  readonly round?: number;
  /** Who dealt random numbers to the parties. */
  readonly helper?: string;
  /** What protects it; nothing or null for exact figures. */
  readonly privacy?: Protection | null;
}

export const none = '–';

/** What stands for a suppressed figure: whether few people or none are behind it, nobody knows. */
export const withheld = 'withheld';

/** What stands for the group's values in the total over all groups. */
export const everything = 'all';

export function isTotal(row: Row, groups: readonly string[]): boolean {
  return groups.length > 0 && groups.every((name) => row[name] === null);
}

export function isNoisy(answer: AnswerLike): answer is AnswerLike & { readonly privacy: Protection } {
  return answer.privacy !== null && answer.privacy !== undefined;
}

export function label(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return value === null || value === undefined ? none : String(value);
}

/** The value itself, or any part of a composite. */
export function isSuppressed(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isSuppressed);
  return isRecord(value) && (value.suppressed === true || Object.values(value).some(isSuppressed));
}

export function isRecord(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
