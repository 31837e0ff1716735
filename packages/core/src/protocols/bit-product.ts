/**
 * The product of a bit that two parties share by xor and values, as additive shares, by correlated OT.
 *
 * With b = s ⊕ r, s the sender's bit of it and r the receiver's, b·v = s·v + r·(1 − 2s)·v. So where the sender knows v,
 * one correlated OT with the difference (1 − 2s)·v and the choice r is enough: what it gives the sender is subtracted
 * from s·v. Where v is shared additively, each party is the sender for its own share. All vectors ride on the same OTs.
 *
 * Rounds    2 a piece of `piecesOf`, and those of the extension's batches    Sends    the extension with choices given
 *                                          (receiver), an element of each vector for each bit (sender); both ways where shared
 * Takes     1 OT a bit; shared: 1 each way
 * Security  That of the extension. An active sender can add to the product a term that depends on the receiver's bit.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { addInto, length, type Ring, slice, subInto, type Vector, vector } from '../algebra/ring.ts';
import { type Bits, wordsFor } from '../sharing/bit-share.ts';
import { checkLengths } from './cost.ts';
import { octetsOf } from './given-choices.ts';
import { addWhere, recvCorrelated, sendCorrelated, type TransferCost } from './oblivious-transfer.ts';
import type { OtReceiver, OtSender } from './ot-extension.ts';
import type { PairSource } from './pair-source.ts';

/** Words of the vectors in one piece, which then holds 32 MiB at each end. */
const pieceWords = 2 ** 22;

/** Bits in one piece, whose OTs the receiver holds all at once. */
const pieceBits = 2 ** 20;

/** My share of b·v for each vector v that I know, from my share of the bits b. */
export async function sendBitProducts(session: OtSender, bits: Bits, values: readonly Vector[]): Promise<Vector[]> {
  const rings = values.map(({ ring }) => ring);
  checkLengths('bit-product', bits.count, bits.count, ...values.map(length));
  const shares = rings.map((ring) => vector(ring, bits.count));
  for (const [start, end] of piecesOf(bits.count, rings)) {
    const parts = values.map((v) => slice(v, start, end));
    const own = bytesBetween(bits, start, end);
    const products = parts.map((v) => whereSet(v, own));
    const x = await sendCorrelated(
      session,
      parts.map((v, i) => flipped(v, products[i]!)),
    );
    for (const [i, product] of products.entries()) {
      subInto(product, x[i]!);
      slice(shares[i]!, start, end).words.set(product.words);
    }
  }
  return shares;
}

/** My share of b·v for each vector v that the sender knows. */
export async function recvBitProducts(session: OtReceiver, bits: Bits, rings: readonly Ring[]): Promise<Vector[]> {
  const shares = rings.map((ring) => vector(ring, bits.count));
  for (const [start, end] of piecesOf(bits.count, rings)) {
    const products = await recvCorrelated(session, rings, end - start, bytesBetween(bits, start, end));
    for (const [i, product] of products.entries()) slice(shares[i]!, start, end).words.set(product.words);
  }
  return shares;
}

/** My share of b·v for each vector v that is shared additively. */
export async function bitProducts(source: PairSource, bits: Bits, shares: readonly Vector[]): Promise<Vector[]> {
  const rings = shares.map(({ ring }) => ring);
  const [own, others] = await Promise.all([
    sendBitProducts(source.sender, bits, shares),
    recvBitProducts(source.receiver, bits, rings),
  ]);
  for (const [i, product] of own.entries()) addInto(product, others[i]!);
  return own;
}

/** Of `sendBitProducts` and `recvBitProducts` together; `bitProducts` takes the same each way, in the same rounds. */
export function bitProductCost(count: number, rings: readonly Ring[]): TransferCost {
  if (rings.length === 0) return { rounds: 0, bytes: 0, ots: 0 };
  const limbs = rings.reduce((sum, ring) => sum + ring.limbs, 0);
  return { rounds: 2 * piecesOf(count, rings).length, bytes: 8 * limbs * count, ots: octetsOf(count) };
}

/** From where to where each piece goes, in whole words of bits. */
function piecesOf(count: number, rings: readonly Ring[]): [start: number, end: number][] {
  if (rings.length === 0) return [];
  const limbs = rings.reduce((sum, ring) => sum + ring.limbs, 0);
  assert(limbs <= pieceWords / 32, 'a piece has room for a word of bits');
  const most = Math.min(pieceBits, 32 * Math.floor(pieceWords / (32 * limbs)));
  return Array.from({ length: Math.ceil(count / most) }, (_, i) => [i * most, Math.min((i + 1) * most, count)]);
}

function bytesBetween({ words }: Bits, start: number, end: number): Uint8Array {
  const part = words.subarray(start / 32, start / 32 + wordsFor(end - start));
  return new Uint8Array(part.buffer, part.byteOffset, Math.ceil((end - start) / 8));
}

/** v where the bit is set, and else 0. */
function whereSet(v: Vector, bits: Uint8Array): Vector {
  const product = vector(v.ring, length(v));
  addWhere(product, v, bits);
  return product;
}

/** (1 − 2s)·v, from v and s·v. */
function flipped(v: Vector, product: Vector): Vector {
  const difference = { ring: v.ring, words: v.words.slice() };
  subInto(difference, product);
  subInto(difference, product);
  return difference;
}
