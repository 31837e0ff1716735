/**
 * Suppression on shares: a value opens only where a shared bit says that it may be shown. Elsewhere it is multiplied by
 * zero, before anyone sees it.
 *
 * A cell that is withheld opens as the bit 0 and as zeros, whatever stood there and why ever it is withheld.
 *
 * Rounds    1, and 1 more for each further 2^20 pieces
 * Sends     1 bit a bit and 16 bytes a piece, to each peer; a value over Z_2^64 is 1 piece, a wide one 4 or 6
 * Takes     1 shared bit a bit (whole words of 32 for each vector of bits), 1 triple a piece
 * Security  that of selection: semi-honest, N−1 colluding; nothing is opened but masked values, and no bit before the
 *           answer is. An active party can flip a bit or shift the bit's conversion, and so have a withheld value
 *           opened.
 * @module
 */
import type { Vector } from '../algebra/ring.ts';
import type { Channel } from '../channel/channel.ts';
import type { Bits } from '../sharing/bit-share.ts';
import { piecesOf, split } from '../sharing/wide-share.ts';
import type { Correlations } from './correlations.ts';
import type { Cost } from './cost.ts';
import { selectAll, selectAllCost } from './select.ts';

/** Values that open or not together, cell by cell. */
export interface Guarded {
  /** 1 where they may be shown. */
  readonly bits: Bits;
  /** Over any of the rings, of as many elements each. */
  readonly vectors: readonly Vector[];
}

/** Shares of what may be opened. */
export interface Suppressed {
  /** 1 where the values are shown, 0 where they are withheld; over Z_2^64. */
  readonly shown: Vector;
  /** Each value times that bit, as pieces over Z_2^64: once opened, `join` makes it a vector of its ring. */
  readonly values: readonly (readonly Vector[])[];
}

/** @throws ProtocolError LENGTHS_DIFFER, OVER_LIMIT */
export async function suppress(ch: Channel, source: Correlations, guarded: readonly Guarded[]): Promise<Suppressed[]> {
  const selections = guarded.map(({ bits, vectors }) => ({ bits, vectors: vectors.flatMap(split) }));
  const selected = await selectAll(ch, source, selections);
  return guarded.map(({ vectors }, i) => {
    const { bit, products } = selected[i]!;
    let start = 0;
    const values = vectors.map(({ ring }) => {
      start += piecesOf(ring);
      return products.slice(start - piecesOf(ring), start);
    });
    return { shown: bit, values };
  });
}

/** Of groups of so many cells, whose values have so many pieces (`piecesOf`) together. */
export function suppressCost(
  parties: number,
  guarded: readonly { readonly count: number; readonly pieces: number }[],
): Cost {
  return selectAllCost(
    parties,
    guarded.map(({ count, pieces }) => ({ count, vectors: pieces })),
  );
}
