/**
 * The product of what two parties hold in Z_2^64, as additive shares, by correlated OT after Gilboa (CRYPTO 1999).
 *
 * The receiver's bits are the choices: for bit t of b the sender gets x and the receiver x + b_t·a, of which only the low
 * 64 − t bits count once they are shifted by t: a correction has no more of them. The OTs lie plane by plane,
 * with ⌈n/32⌉ words of choices each.
 *
 * Rounds    2, and those of the extension's batches    Sends    the extension of 2,048·⌈n/32⌉ OTs with choices given
 *                                     (receiver), 260 bytes for each of 32·⌈n/32⌉ products (sender)
 * Security  That of the extension. An active sender can add to the result a term that depends on the receiver's b.
 * @module
 */
import { type Vector, Z2_64 } from '../algebra/ring.ts';
import { kernels } from '../kernels/kernels.ts';
import { planesOf } from '../sharing/bit-share.ts';
import { firstWords } from './correlation-hash.ts';
import { checkLengths } from './cost.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { type OtReceiver, type OtSender, otsMax } from './ot-extension.ts';

/** Products of one call: 2^19 OTs, whose masks have 4 MiB. */
export const productsPerCallMax = 2 ** 13;

/** Bytes of all corrections of one product: 64 − t bits for bit t. */
export const productBytes = 260;

const noOffset = new Uint8Array(16);

/** The sender's share of a · b. */
export async function sendProducts(session: OtSender, a: Vector): Promise<Vector> {
  const count = a.words.length;
  checkLengths('ot/products', productsPerCallMax, count);
  const n = paddedTo32(count);
  const padded = new BigUint64Array(n);
  padded.set(a.words);
  const [zero, one, share] = [new BigUint64Array(n), new BigUint64Array(n), new BigUint64Array(n)];
  const corrections = new Uint8Array(n * productBytes);
  const k = kernels();
  await session.prepare(64 * n);
  for (const planes of extensions(n)) {
    const rows = await session.extend(planes.length * n, 'given');
    for (const [i, { t, bits, offset }] of planes.entries()) {
      const plane = rows.subarray(16 * i * n, 16 * (i + 1) * n);
      firstWords(session.pi, plane, noOffset, zero);
      firstWords(session.pi, plane, session.delta, one);
      k.addShiftedInto(share, zero, t);
      k.subInto(zero, one);
      k.addInto(zero, padded);
      k.narrow(zero, corrections.subarray(offset, offset + (n * bits) / 8), bits);
    }
  }
  if (n > 0) await sendTo(session.channel, session.peer, octets('ot/products', corrections.length), corrections);
  const negated = one.fill(0n);
  k.subInto(negated, share);
  return { ring: Z2_64, words: negated.subarray(0, count) };
}

/** The receiver's share of a · b. */
export async function recvProducts(session: OtReceiver, b: Vector): Promise<Vector> {
  const count = b.words.length;
  checkLengths('ot/products', productsPerCallMax, count);
  const n = paddedTo32(count);
  const packed = count === 0 ? new Uint32Array(0) : planesOf(b, 64).words;
  const choices = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
  const masks = new BigUint64Array(64 * n);
  for (const planes of extensions(n)) {
    const [start, end] = [planes[0]!.t * n, (planes.at(-1)!.t + 1) * n];
    const { rows } = await session.extend(end - start, choices.subarray(start / 8, end / 8));
    firstWords(session.pi, rows, noOffset, masks.subarray(start, end));
  }
  const share = new BigUint64Array(n);
  if (n > 0) {
    const form = octets('ot/products', n * productBytes);
    const corrections = await recvFrom(session.channel, session.peer, form);
    const k = kernels();
    const correction = new BigUint64Array(n);
    for (const { t, bits, offset } of extensions(n).flat()) {
      const y = masks.subarray(t * n, (t + 1) * n);
      k.widen(corrections.subarray(offset, offset + (n * bits) / 8), correction, bits);
      k.selectInto(y, correction, choices.subarray((t * n) / 8, ((t + 1) * n) / 8));
      k.addShiftedInto(share, y, t);
    }
  }
  return { ring: Z2_64, words: share.subarray(0, count) };
}

function paddedTo32(count: number): number {
  return 32 * Math.ceil(count / 32);
}

/** Of one bit of b: its place, the bits that a correction has there, and the byte where those begin. */
interface Plane {
  readonly t: number;
  readonly bits: number;
  readonly offset: number;
}

/** The planes of n products, by the extensions that they go through together. */
function extensions(n: number): Plane[][] {
  let offset = 0;
  const planes = Array.from({ length: 64 }, (_, t): Plane => {
    const plane = { t, bits: 64 - t, offset };
    offset += (n * plane.bits) / 8;
    return plane;
  });
  if (n === 0) return [];
  const together = Math.min(64, Math.floor(otsMax / n));
  return Array.from({ length: Math.ceil(64 / together) }, (_, i) => planes.slice(i * together, (i + 1) * together));
}
