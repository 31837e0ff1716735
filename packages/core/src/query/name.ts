/**
 * The names that documents give to parties, analysts, datasets, columns, purposes and measures.
 *
 * A name starts with a letter, so that no object reorders its keys as if they were indices, and is never one that every
 * JavaScript object already has (`constructor`), so that a look-up by a foreign name finds what was declared or nothing.
 * @module
 */
import { z } from 'zod';

/** Longer names help nobody, and they stand in every plan and every log line. */
const nameLengthMax = 100;
const inherited = (name: string): boolean => name in {};

/** A column, dataset, purpose or measure: letters of any script, digits, `_` and `-`. */
export const nameSchema = z
  .string()
  .max(nameLengthMax)
  .regex(/^[\p{L}_][\p{L}\p{N}_-]*$/u, 'a name has letters, digits, _ and -, and starts with a letter')
  .refine((name) => !inherited(name), 'this name is reserved');

/** A member (party or analyst). ASCII only, since it names folders and is compared by eye. */
export const memberSchema = z
  .string()
  .max(nameLengthMax)
  .regex(/^[A-Za-z][A-Za-z0-9_.@-]*$/, 'an id has letters, digits and . _ - @, and starts with a letter')
  .refine((name) => !inherited(name), 'this name is reserved');

/** A column as a job writes it: `arrears`, or `left.arrears` in a join. */
export const columnRefSchema = z
  .string()
  .max(nameLengthMax)
  .regex(/^((left|right)\.)?[\p{L}_][\p{L}\p{N}_-]*$/u, 'the name of a column is expected')
  .refine((name) => !inherited(name), 'this name is reserved');

/** A column or the year of a date column: `tenure`, `year(moved_in)`. */
export const groupRefSchema = z
  .string()
  .max(nameLengthMax)
  .regex(
    /^(((left|right)\.)?[\p{L}_][\p{L}\p{N}_-]*|year\(((left|right)\.)?[\p{L}_][\p{L}\p{N}_-]*\))$/u,
    'the name of a column is expected, or year(column)',
  )
  .refine((name) => !inherited(name), 'this name is reserved');

/** The value under a declared name, or undefined. Never what every object inherits. */
export function lookUp<T>(record: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(record, name) ? record[name] : undefined;
}

/** `a, b and c`, for texts. */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
