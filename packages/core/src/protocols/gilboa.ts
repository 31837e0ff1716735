/**
 * The product of what two parties hold in Z_2^64, as additive shares, by correlated OT after Gilboa (CRYPTO 1999).
 *
 * The receiver's bits are the choices: for bit t of b the sender gets x and the receiver x + b_t·a, of which only the low
 * 64 − t bits count once they are shifted by t; corrections are cut to whole bytes of those. The OTs lie plane by plane,
 * with ⌈n/32⌉ words of choices each.
 *
 * Rounds    2                Sends    the extension of 2,048·⌈n/32⌉ OTs with choices given (receiver), 288 bytes for each
 *                                     of 32·⌈n/32⌉ products (sender)
 * Security  That of the extension. An active sender can add to the result a term that depends on the receiver's b.
 * @module
 */
import { type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import { kernels } from '../kernels/kernels.ts';
import { planesOf } from '../sharing/bit-share.ts';
import { checkLengths } from './cost.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { maskWords } from './oblivious-transfer.ts';
import { type OtReceiver, type OtSender, otsMax } from './ot-extension.ts';

/** Products of one call: 2^19 OTs, whose masks have 4 MiB. */
export const productsPerCallMax = 2 ** 13;

/** Bytes of all corrections of one product: 64 − t bits for bit t, in whole bytes. */
export const productBytes = 288;

const noOffset = new Uint8Array(16);

/** The sender's share of a · b. */
export async function sendProducts(session: OtSender, a: Vector): Promise<Vector> {
  const count = a.words.length;
  checkLengths('ot/products', productsPerCallMax, count);
  const { n, ots } = sizeOf(count);
  const [zero, one] = [new BigUint64Array(ots), new BigUint64Array(ots)];
  await session.prepare(ots);
  for (let start = 0; start < ots; start += otsMax) {
    const rows = await session.extend(Math.min(otsMax, ots - start), 'given');
    zero.set(maskWords(session.pi, rows, noOffset, 1), start);
    one.set(maskWords(session.pi, rows, session.delta, 1), start);
  }
  const padded = new BigUint64Array(n);
  padded.set(a.words);
  const corrections = new Uint8Array(n * productBytes);
  const sum = new BigUint64Array(n);
  const k = kernels();
  for (const { t, width, offset } of planes(n)) {
    const x = zero.subarray(t * n, (t + 1) * n);
    k.addShiftedInto(sum, x, t);
    k.subInto(x, one.subarray(t * n, (t + 1) * n));
    k.addInto(x, padded);
    k.narrow(x, corrections.subarray(offset, offset + n * width), width);
  }
  if (n > 0) await sendTo(session.channel, session.peer, octets('ot/products', corrections.length), corrections);
  const share = vector(Z2_64, n);
  k.subInto(share.words, sum);
  return { ring: Z2_64, words: share.words.subarray(0, count) };
}

/** The receiver's share of a · b. */
export async function recvProducts(session: OtReceiver, b: Vector): Promise<Vector> {
  const count = b.words.length;
  checkLengths('ot/products', productsPerCallMax, count);
  const { n, ots } = sizeOf(count);
  const planesOfB = count === 0 ? new Uint32Array(0) : planesOf(b, 64).words;
  const choices = new Uint8Array(planesOfB.buffer, planesOfB.byteOffset, planesOfB.byteLength);
  const masks = new BigUint64Array(ots);
  for (let start = 0; start < ots; start += otsMax) {
    const end = Math.min(start + otsMax, ots);
    const { rows } = await session.extend(end - start, choices.subarray(start / 8, end / 8));
    masks.set(maskWords(session.pi, rows, noOffset, 1), start);
  }
  const share = new BigUint64Array(n);
  if (n > 0) {
    const form = octets('ot/products', n * productBytes);
    const corrections = await recvFrom(session.channel, session.peer, form);
    const k = kernels();
    const correction = new BigUint64Array(n);
    for (const { t, width, offset } of planes(n)) {
      const y = masks.subarray(t * n, (t + 1) * n);
      k.widen(corrections.subarray(offset, offset + n * width), correction, width);
      k.selectInto(y, correction, choices.subarray((t * n) / 8, ((t + 1) * n) / 8));
      k.addShiftedInto(share, y, t);
    }
  }
  return { ring: Z2_64, words: share.subarray(0, count) };
}

function sizeOf(count: number): { n: number; ots: number } {
  const n = 32 * Math.ceil(count / 32);
  return { n, ots: 64 * n };
}

/** Of each bit of b: its place, the bytes that a correction needs there, and where those begin. */
function planes(n: number): { t: number; width: number; offset: number }[] {
  let offset = 0;
  return Array.from({ length: 64 }, (_, t) => {
    const width = 8 - (t >> 3);
    const plane = { t, width, offset };
    offset += n * width;
    return plane;
  });
}
