/**
 * The product of an element of a ring, which one party holds, and a number below 2^k, which the other holds, as additive
 * shares, by correlated OT after Gilboa (CRYPTO 1999).
 *
 * The receiver's bits are the choices: for bit t of b the sender gets x and the receiver x + b_t·a, of which only the low
 * r − t bits count once they are shifted by t, in a ring of r bits: a correction has no more of them. The OTs lie plane
 * by plane, with ⌈n/32⌉ words of choices each. With r = k = 64 it is the product of two elements of Z_2^64.
 *
 * Rounds    2 a piece of `pieceWords`, and those of the extension's batches
 * Sends     the extension of 32·k·⌈n/32⌉ OTs with choices given (receiver), Σ (r − t)/8 bytes over t < k for each of
 *           32·⌈n/32⌉ products (sender)
 * Security  That of the extension. An active sender can add to the result a term that depends on the receiver's b.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { addInto, length, type Ring, slice, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import { kernels } from '../kernels/kernels.ts';
import { planesOf } from '../sharing/bit-share.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { addWhere, maskVectors, type TransferCost } from './oblivious-transfer.ts';
import { type OtReceiver, type OtSender, otsMax } from './ot-extension.ts';

/** Words of the masks of one piece, 16 MiB. */
const pieceWords = 2 ** 21;

/** Products of an exchange of triples: 2^19 OTs, whose masks have 4 MiB. */
export const productsPerCallMax = 2 ** 13;

/** Bytes of all corrections of one product of Z_2^64: 64 − t bits for bit t. */
export const productBytes = 260;

const noOffset = new Uint8Array(16);

/** The sender's share of a · b, for b below 2^bits. */
export async function sendProducts(session: OtSender, a: Vector, bits = 64): Promise<Vector> {
  const share = vector(a.ring, length(a));
  for (const [start, end] of piecesOf(length(a), a.ring, bits)) {
    subInto(slice(share, start, end), await sendPiece(session, slice(a, start, end), bits));
  }
  return share;
}

/** The receiver's share of a · b, for an a over this ring and b below 2^bits; what b has above is not read. */
export async function recvProducts(session: OtReceiver, ring: Ring, b: BigUint64Array, bits = 64): Promise<Vector> {
  const share = vector(ring, b.length);
  for (const [start, end] of piecesOf(b.length, ring, bits)) {
    addInto(slice(share, start, end), await recvPiece(session, ring, b.subarray(start, end), bits));
  }
  return share;
}

/** Of `sendProducts` and `recvProducts` together. */
export function productCost(count: number, ring: Ring, bits = 64): TransferCost {
  const n = paddedTo32(count);
  return {
    rounds: 2 * piecesOf(count, ring, bits).length,
    bytes: (n / 8) * (bits * ring.bits - (bits * (bits - 1)) / 2),
    ots: bits * n,
  };
}

/** What the sender's share lacks to 0. */
async function sendPiece(session: OtSender, a: Vector, bits: number): Promise<Vector> {
  const { ring } = a;
  const n = paddedTo32(length(a));
  const [padded, zero, one, sum] = [vector(ring, n), vector(ring, n), vector(ring, n), vector(ring, n)];
  padded.words.set(a.words);
  const corrections = new Uint8Array(productCost(n, ring, bits).bytes);
  await session.prepare(bits * n);
  for (const planes of extensions(n, ring, bits)) {
    const rows = await session.extend(planes.length * n, 'given');
    for (const [i, { t, start, end }] of planes.entries()) {
      const plane = rows.subarray(16 * i * n, 16 * (i + 1) * n);
      maskVectors(session.pi, plane, noOffset, [zero]);
      maskVectors(session.pi, plane, session.delta, [one]);
      addShifted(sum, zero, t);
      subInto(zero, one);
      addInto(zero, padded);
      narrow(zero, corrections.subarray(start, end), 64 - t);
    }
  }
  await sendTo(session.channel, session.peer, octets('ot/products', corrections.length), corrections);
  return slice(sum, 0, length(a));
}

async function recvPiece(session: OtReceiver, ring: Ring, b: BigUint64Array, bits: number): Promise<Vector> {
  const n = paddedTo32(b.length);
  const packed = planesOf({ ring: Z2_64, words: b }, bits).words;
  const choices = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
  const masks = vector(ring, bits * n);
  for (const planes of extensions(n, ring, bits)) {
    const [start, end] = [planes[0]!.t * n, (planes.at(-1)!.t + 1) * n];
    const { rows } = await session.extend(end - start, choices.subarray(start / 8, end / 8));
    maskVectors(session.pi, rows, noOffset, [slice(masks, start, end)]);
  }
  const form = octets('ot/products', productCost(n, ring, bits).bytes);
  const corrections = await recvFrom(session.channel, session.peer, form);
  const [sum, correction] = [vector(ring, n), vector(ring, n)];
  for (const { t, start, end } of extensions(n, ring, bits).flat()) {
    const y = slice(masks, t * n, (t + 1) * n);
    widen(corrections.subarray(start, end), correction, 64 - t);
    addWhere(y, correction, choices.subarray((t * n) / 8, ((t + 1) * n) / 8));
    addShifted(sum, y, t);
  }
  return slice(sum, 0, b.length);
}

function paddedTo32(count: number): number {
  return 32 * Math.ceil(count / 32);
}

/** From where to where each piece goes. */
function piecesOf(count: number, ring: Ring, bits: number): [start: number, end: number][] {
  assert(Number.isInteger(bits) && bits >= 1 && bits <= 64, 'a factor has from 1 to 64 bits');
  const most = Math.min(otsMax, 32 * Math.floor(pieceWords / (32 * bits * ring.limbs)));
  return Array.from({ length: Math.ceil(count / most) }, (_, i) => [i * most, Math.min((i + 1) * most, count)]);
}

/** Of one bit of b: its place, and the bytes of its corrections. */
interface Plane {
  readonly t: number;
  readonly start: number;
  readonly end: number;
}

/** The planes of n products, by the extensions that they go through together. */
function extensions(n: number, ring: Ring, bits: number): Plane[][] {
  let end = 0;
  const planes = Array.from({ length: bits }, (_, t): Plane => {
    const start = end;
    end += (n * (ring.bits - t)) / 8;
    return { t, start, end };
  });
  const together = Math.min(bits, Math.floor(otsMax / n));
  return Array.from({ length: Math.ceil(bits / together) }, (_, i) => planes.slice(i * together, (i + 1) * together));
}

/** target += 2^t · v. */
function addShifted(target: Vector, v: Vector, t: number): void {
  if (target.ring.limbs === 1) {
    kernels().addShiftedInto(target.words, v.words, t);
    return;
  }
  const shifted = vector(v.ring, length(v));
  const [from, to] = [halvesOf(v), halvesOf(shifted)];
  const halves = 2 * v.ring.limbs;
  const [whole, left] = [t >>> 5, t & 31];
  for (let start = 0; start < to.length; start += halves) {
    let below = 0;
    for (let i = whole; i < halves; i++) {
      const half = from[start + i - whole]!;
      to[start + i] = (half << left) | below;
      // In two steps, since a shift by 32 is none.
      below = (half >>> 1) >>> (31 - left);
    }
  }
  addInto(target, shifted);
}

/** The limbs below the top one as they lie, and of the top ones the low bits, one after the other. */
function narrow(v: Vector, out: Uint8Array, bits: number): void {
  const { limbs } = v.ring;
  if (limbs === 1) {
    kernels().narrow(v.words, out, bits);
    return;
  }
  const below = new BigUint64Array(length(v) * (limbs - 1));
  const top = new BigUint64Array(length(v));
  const [from, low, high] = [halvesOf(v), new Uint32Array(below.buffer), new Uint32Array(top.buffer)];
  for (let at = 0, toLow = 0, toHigh = 0; at < from.length; ) {
    for (const end = at + 2 * limbs - 2; at < end; ) low[toLow++] = from[at++]!;
    high[toHigh++] = from[at++]!;
    high[toHigh++] = from[at++]!;
  }
  out.set(new Uint8Array(below.buffer));
  kernels().narrow(top, out.subarray(below.byteLength), bits);
}

/** The inverse, with zeros above. */
function widen(bytes: Uint8Array, v: Vector, bits: number): void {
  const { limbs } = v.ring;
  if (limbs === 1) {
    kernels().widen(bytes, v.words, bits);
    return;
  }
  const below = bytes.slice(0, 8 * length(v) * (limbs - 1));
  const top = new BigUint64Array(length(v));
  kernels().widen(bytes.subarray(below.length), top, bits);
  const [to, low, high] = [halvesOf(v), new Uint32Array(below.buffer), new Uint32Array(top.buffer)];
  for (let at = 0, fromLow = 0, fromHigh = 0; at < to.length; ) {
    for (const end = at + 2 * limbs - 2; at < end; ) to[at++] = low[fromLow++]!;
    to[at++] = high[fromHigh++]!;
    to[at++] = high[fromHigh++]!;
  }
}

function halvesOf({ words }: Vector): Uint32Array {
  return new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
}
