/**
 * The form of what an exact job opens: vectors over the places, and what the analyst's software reads out of them.
 *
 * A job without conditions opens its sums as they are, each in its own ring. Any other opens, all over Z_2^64, the bits
 * that say which groups open (where the job chooses among them) and then, part by part, the bits that say where it is
 * shown and its numbers times these bits: a wide number as its pieces. Where a bit is 0 all numbers of the part are 0, so
 * that a part withheld looks the same whatever is in it.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { type Ring, rings, Z2_64 } from '../algebra/ring.ts';
import { ProtocolError } from '../channel/errors.ts';
import { piecesOf } from '../sharing/wide-share.ts';
import type { DisclosedPart, Disclosure } from './disclosure.ts';
import type { Layout } from './encode.ts';

/** Places: the groups, and their total. */
export function placesOf({ groups, total }: Disclosure): number {
  return total ? groups + 1 : groups;
}

/** Whether everything opens, and just as the sums come. */
export function isPlain({ parts, rows }: Disclosure): boolean {
  return (
    rows === null && parts.every(({ people, dominance, gaps }) => people.length + dominance.length + gaps.length === 0)
  );
}

/** The slots that a job without conditions opens, in ascending order. */
export function plainSlots({ parts }: Disclosure): number[] {
  return [...new Set(parts.flatMap(({ slots }) => slots))].sort((a, b) => a - b);
}

/** The rings of all vectors that open, in the order of `readOpened`. */
function columnsOf(disclosure: Disclosure): Ring[] {
  if (isPlain(disclosure)) return plainSlots(disclosure).map((slot) => disclosure.rings[slot]!);
  const bits = disclosure.rows === null ? 0 : 1;
  const parts = disclosure.parts.map((part) => 1 + piecesIn(disclosure, part));
  return new Array<Ring>(parts.reduce((sum, own) => sum + own, bits)).fill(Z2_64);
}

/** Vectors that the numbers of a part are opened as. */
export function piecesIn({ rings }: Disclosure, { slots }: DisclosedPart): number {
  return slots.reduce((sum, slot) => sum + piecesOf(rings[slot]!), 0);
}

/** Of all that opens; a section for each ring. */
export function openedLayout(disclosure: Disclosure): Layout {
  const columns = columnsOf(disclosure);
  const sections = rings.map((ring) => ({
    label: `opened/${ring.bits}`,
    ring,
    statistics: columns.flatMap((own, at) => (own === ring ? [at] : [])),
  }));
  return { sections: sections.filter(({ statistics }) => statistics.length > 0), cells: placesOf(disclosure) };
}

/** What has opened at one place. */
export interface OpenedPlace {
  /** Whether the group opens at all. */
  readonly isOpen: boolean;
  /** Of each part the numbers in its slots; null where it is withheld. */
  readonly parts: readonly (readonly bigint[] | null)[];
}

/**
 * What stands at each place, from the opened integers `[column][place]`.
 * @throws ProtocolError BAD_ENVELOPE for a bit that is none: some party has not followed the protocol
 */
export function readOpened(
  disclosure: Disclosure,
  columns: readonly (readonly bigint[])[],
): (place: number) => OpenedPlace {
  if (isPlain(disclosure)) {
    const columnOf = new Map(plainSlots(disclosure).map((slot, at) => [slot, columns[at]!]));
    return (place) => ({
      isOpen: true,
      parts: disclosure.parts.map(({ slots }) => slots.map((slot) => columnOf.get(slot)![place]!)),
    });
  }
  return (place) => readDecided(disclosure, columns, place);
}

function readDecided(disclosure: Disclosure, columns: readonly (readonly bigint[])[], place: number): OpenedPlace {
  let at = 0;
  const next = () => columns[at++]![place]!;
  const isOpen = disclosure.rows === null || isSet(next());
  const parts = disclosure.parts.map((part) => {
    const isShown = isSet(next());
    const values = part.slots.map((slot) => {
      const ring = disclosure.rings[slot]!;
      return joined(ring, Array.from({ length: piecesOf(ring) }, next));
    });
    return isShown && isOpen ? values : null;
  });
  assert(at === columns.length, 'every column is read');
  return { isOpen, parts };
}

function isSet(bit: bigint): boolean {
  if (bit === 0n || bit === 1n) return bit === 1n;
  throw new ProtocolError('BAD_ENVELOPE', { detail: 'a bit that says what is shown is neither 0 nor 1' });
}

/** The signed integer of a ring from its pieces of 32 bits. */
function joined({ bits, limbs }: Ring, pieces: readonly bigint[]): bigint {
  if (limbs === 1) return pieces[0]!;
  return BigInt.asIntN(
    bits,
    pieces.reduce((sum, piece, at) => sum + (piece << BigInt(32 * at)), 0n),
  );
}
