/**
 * Size classes of sets that are matched: the powers of √2, rounded up.
 *
 * A protocol shows the other side how many elements a set has. So each party pads its set with random elements to the
 * class of its whole dataset, rows that a filter leaves out included, and states the class in its acceptance.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { InputError } from '../channel/errors.ts';

/** 512 elements: smaller sets have the hash tables of this one anyway. */
export const setClassMin = 18;
/** 2^22 elements: what tables and stores are made for, and four times the largest set that joins are measured with. */
export const setClassMax = 44;

/** The elements of a class: ⌈√2^c⌉. */
export function classSize(setClass: number): number {
  assert(Number.isInteger(setClass) && setClass >= setClassMin && setClass <= setClassMax, 'a class is from 18 to 44');
  return Math.ceil(Math.sqrt(2 ** setClass));
}

/**
 * The least class that holds so many rows.
 * @throws InputError SET_TOO_LARGE
 */
export function setClassFor(rows: number): number {
  for (let setClass = setClassMin; setClass <= setClassMax; setClass++) {
    if (rows <= classSize(setClass)) return setClass;
  }
  throw new InputError('SET_TOO_LARGE', { detail: `a set that is matched has up to ${classSize(setClassMax)} rows` });
}
