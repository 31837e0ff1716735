/**
 * The set that one side of a join matches: its keys as the elements of a session, and behind each of them its rows.
 *
 * Identifiers are brought into canonical form, those that are no use are left out, and rows are put together by key over
 * the whole dataset, before any filter: how many rows a key has is the same in every job, and so is what is refused for it.
 * A key none of whose rows takes part becomes a random element, like the padding. So the number of elements is that of the
 * class and says nothing of the records or the filter.
 *
 * Takes     the records, and a salt that is new for the session
 * Security  elements are pseudonyms for one session (identifier.ts); neither they nor their order leave a party but by a
 *           protocol that hides both
 * Memory    rowsPerKey · (4 + 8 · features) bytes an element, beside the records
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import { InputError, SourceError } from '../channel/errors.ts';
import type { IdentifierColumn } from './dictionary.ts';
import { canonicalIdentifier, type IdentifierTally, identifierKeys } from './identifier.ts';
import type { Feature, SideQuery, SideRecords } from './join-query.ts';
import { classSize } from './set-class.ts';

export interface SideSet {
  /** 16 bytes each: those of keys with a row that takes part, and random ones up to the class. */
  readonly elements: Uint8Array;
  /** Keys that take part; the elements behind them are random. */
  readonly keys: number;
  /** Row slots of each key: rowsPerKey. */
  readonly slots: number;
  /** `[slot · count + element]`: the cell, −1 where the slot is empty. The count of elements is `elements.length / 16`. */
  readonly cells: Int32Array;
  /** `[feature][slot · count + element]`, 0 where the slot is empty. Of `people` only the first row of a key in a cell has 1. */
  readonly features: readonly BigInt64Array[];
  /** The row of the records that a key's slot 0 came from, by element; −1 for padding. */
  readonly rows: Int32Array;
}

const elementBytes = 16;
/** Numbers of all elements together: 2 GB, which is as much again as the records that they come from. */
const numbersMax = 1 << 28;

/**
 * Whether a party can hold what it would bring: from public numbers alone, so that it can say so beforehand.
 * @throws InputError SET_TOO_LARGE
 */
export function checkRoom({ key, rowsPerKey, features }: SideQuery, setClass: number): void {
  const count = classSize(setClass);
  if (rowsPerKey * count * Math.max(1, features.length) <= numbersMax) return;
  const detail = `${count} keys, each with ${rowsPerKey} rows of ${features.length} numbers, are over ${numbersMax}`;
  const remedy = 'ask for fewer measures, fewer bins or shorter conditions on both sides at once';
  throw new InputError('SET_TOO_LARGE', { field: key, detail, remedy });
}

/**
 * @throws SourceError DUPLICATE_IDENTIFIER where a key has more rows than count, and the dataset refuses that
 * @throws InputError SET_TOO_LARGE where there are more keys than the class holds
 */
export function sideSet(
  side: SideQuery,
  records: SideRecords,
  salt: Uint8Array,
  setClass: number,
  rng: Rng,
  tally?: IdentifierTally,
): SideSet {
  const count = classSize(setClass);
  checkRoom(side, setClass);
  const { keyOf, texts } = keysOf(side, records, tally);
  if (texts.size > count) {
    throw new InputError('SET_TOO_LARGE', { field: side.key, detail: `its class holds ${count} keys` });
  }
  const { place, slotOf, rows, keys } = placed(side, records.cells, keyOf, texts.size, count);
  const cells = new Int32Array(side.rowsPerKey * count).fill(-1);
  for (let row = 0; row < place.length; row++) {
    if (slotOf[row]! >= 0) cells[slotOf[row]! * count + place[row]!] = records.cells[row]!;
  }
  const features = side.features.map((feature, at) => {
    const values = spread(records.features[at]!, place, slotOf, count, side.rowsPerKey);
    if (feature.of === 'people') keepFirst(values, cells, side, count, feature);
    return values;
  });
  const elements = elementsOf(texts, rows, keyOf, keys, count, salt, rng);
  return { elements, keys, slots: side.rowsPerKey, cells, features, rows };
}

/** Of each row the number of its key, −1 where it has none; and the keys in the order of their first rows. */
function keysOf({ dataset, key }: SideQuery, { identifiers }: SideRecords, tally: IdentifierTally | undefined) {
  const column = dataset.columns[key] as IdentifierColumn;
  const keyOf = new Int32Array(identifiers.length);
  const texts = new Map<string, number>();
  for (let row = 0; row < identifiers.length; row++) {
    const text = canonicalIdentifier(identifiers[row]!, column, tally);
    let number = -1;
    if (text !== null) {
      const known = texts.get(text);
      number = known ?? texts.size;
      if (known === undefined) texts.set(text, number);
    }
    keyOf[row] = number;
  }
  return { keyOf, texts };
}

/** Where each row goes: its element and its slot, −1 where it goes nowhere. */
function placed(
  { dataset, key, rowsPerKey }: SideQuery,
  cells: Int32Array,
  keyOf: Int32Array,
  distinct: number,
  count: number,
) {
  const refuses = dataset.extra_rows === 'refuse' && dataset.lenient !== true;
  const seen = new Int32Array(distinct);
  const used = new Int32Array(distinct);
  const elementOf = new Int32Array(distinct).fill(-1);
  const place = new Int32Array(keyOf.length).fill(-1);
  const slotOf = new Int32Array(keyOf.length).fill(-1);
  const rows = new Int32Array(count).fill(-1);
  let keys = 0;
  for (let row = 0; row < keyOf.length; row++) {
    const number = keyOf[row]!;
    if (number < 0) continue;
    seen[number] = seen[number]! + 1;
    if (seen[number]! > rowsPerKey) {
      if (refuses) throw new SourceError('DUPLICATE_IDENTIFIER', { field: key });
      continue;
    }
    if (cells[row]! < 0) continue;
    if (elementOf[number]! < 0) {
      elementOf[number] = keys;
      rows[keys] = row;
      keys++;
    }
    place[row] = elementOf[number]!;
    slotOf[row] = used[number]!;
    used[number] = used[number]! + 1;
  }
  return { place, slotOf, rows, keys };
}

/** The values at their places, moved in halves of 32 bits: a 64-bit integer of its own would be made for each otherwise. */
function spread(given: BigInt64Array, place: Int32Array, slotOf: Int32Array, count: number, slots: number) {
  const values = new BigInt64Array(slots * count);
  const [from, to] = [given, values].map(({ buffer, byteOffset, length }) => {
    return new Int32Array(buffer, byteOffset, 2 * length);
  });
  for (let row = 0; row < place.length; row++) {
    if (slotOf[row]! < 0) continue;
    const at = 2 * (slotOf[row]! * count + place[row]!);
    to![at] = from![2 * row]!;
    to![at + 1] = from![2 * row + 1]!;
  }
  return values;
}

/** Takes the 1 away from every row of a key but the first in each cell. */
function keepFirst(values: BigInt64Array, cells: Int32Array, side: SideQuery, count: number, { max }: Feature): void {
  assert(max <= 1n, 'of people a row has 1 or 0');
  if (side.rowsPerKey === 1) return;
  const words = new Int32Array(values.buffer);
  /** By cell: the last element that was counted in it, from 1. */
  const counted = new Int32Array(side.cells);
  for (let element = 0; element < count; element++) {
    for (let at = element; at < values.length; at += count) {
      const cell = cells[at]!;
      if (cell < 0 || (words[2 * at] === 0 && words[2 * at + 1] === 0)) continue;
      if (counted[cell] === element + 1) values[at] = 0n;
      counted[cell] = element + 1;
    }
  }
}

/** The keys that take part under the session's salt, in the order of the elements, and random ones behind them. */
function elementsOf(
  texts: ReadonlyMap<string, number>,
  rows: Int32Array,
  keyOf: Int32Array,
  keys: number,
  count: number,
  salt: Uint8Array,
  rng: Rng,
): Uint8Array {
  const place = new Int32Array(texts.size).fill(-1);
  for (let element = 0; element < keys; element++) place[keyOf[rows[element]!]!] = element;
  const canonical = new Array<string>(keys).fill('');
  for (const [text, number] of texts) if (place[number]! >= 0) canonical[place[number]!] = text;
  const elements = new Uint8Array(count * elementBytes);
  elements.set(identifierKeys(salt, canonical));
  // One key's element is another's, or a random one, with a chance below 2^−85 in the largest class.
  elements.set(rng((count - keys) * elementBytes), keys * elementBytes);
  return elements;
}
