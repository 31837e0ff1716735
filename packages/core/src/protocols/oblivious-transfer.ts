/**
 * The forms of oblivious transfer on an extension's rows: random, chosen and correlated, of bits and of vectors.
 *
 * With H the correlation-robust hash, the sender has the masks H(q) and H(q ⊕ Δ) of an OT, the receiver H(t), which is
 * the one of them that its choice c names. Chosen messages travel under both masks. A correlated OT with difference δ
 * gives the sender x and the receiver x ⊕ c·δ, or x + c·δ in Z_2^64; one value corrects the second mask to x + δ. Each OT
 * may have one difference or a vector of `width` elements.
 *
 * Rounds    1 (random), else 2, whatever the count; 1 more where `silent` needs a batch
 * Sends     the receiver its extension, with choices given unless random; the sender for each OT: nothing (random), two
 *           messages (chosen), one (correlated). Bits are packed
 * Security  That of the extension. What an active sender puts in place of a correction is wrong for one choice only, so
 *           a result that fails visibly would tell it the choice.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { AesPermutation } from '../algebra/platform.ts';
import { length, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import { kernels } from '../kernels/kernels.ts';
import { firstBits, firstWords, maskRows } from './correlation-hash.ts';
import { checkLengths } from './cost.ts';
import { elements, octets, recvFrom, sendTo } from './message.ts';
import { type OtReceiver, type OtSender, otsMax } from './ot-extension.ts';
import { bitOf } from './softspoken-ot.ts';

/** OTs of one call: who waits for their results holds 32 MiB of masks. Who needs more calls again. */
export const otsPerCallMax = 2 ** 22;

/** Elements of one call's vectors, 128 MiB. */
export const otElementsMax = 2 ** 24;

const noOffset = new Uint8Array(16);

/** Two random messages of 16 bytes for each OT. */
export async function sendRandom(session: OtSender, count: number): Promise<{ zero: Uint8Array; one: Uint8Array }> {
  const [zero, one] = [new Uint8Array(16 * count), new Uint8Array(16 * count)];
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start);
    maskRows(session.pi, rows, noOffset, 0, zero.subarray(16 * start, 16 * end));
    maskRows(session.pi, rows, session.delta, 0, one.subarray(16 * start, 16 * end));
  }
  return { zero, one };
}

/** Random choices, packed, and the messages that they name. */
export async function recvRandom(
  session: OtReceiver,
  count: number,
): Promise<{ choices: Uint8Array; chosen: Uint8Array }> {
  const choices = new Uint8Array(Math.ceil(count / 8));
  const chosen = new Uint8Array(16 * count);
  for (const [start, end] of pieces(count)) {
    const piece = await session.extend(end - start);
    choices.set(piece.choices, start / 8);
    maskRows(session.pi, piece.rows, noOffset, 0, chosen.subarray(16 * start, 16 * end));
  }
  return { choices, chosen };
}

/** One bit for each choice, packed. */
export async function sendBits(session: OtSender, count: number, zero: Uint8Array, one: Uint8Array): Promise<void> {
  checkLengths('ot/bits', otsPerCallMax / 8, Math.ceil(count / 8), zero.length, one.length);
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start, 'given');
    const both = new Uint8Array(2 * Math.ceil((end - start) / 8));
    const half = both.length / 2;
    for (const [i, bits] of [zero, one].entries()) {
      const masked = both.subarray(i * half, (i + 1) * half);
      masked.set(firstBits(session.pi, rows, i === 0 ? noOffset : session.delta));
      kernels().xorInto(masked, bits.subarray(start / 8, start / 8 + half));
    }
    await sendTo(session.channel, session.peer, octets('ot/bits', both.length), both);
  }
}

/** The bits that the choices name. */
export async function recvBits(session: OtReceiver, count: number, choices: Uint8Array): Promise<Uint8Array> {
  const masks = await receiveMasks(session, count, choices, (rows) => firstBits(session.pi, rows, noOffset));
  for (const [start, end] of pieces(count)) {
    const half = Math.ceil((end - start) / 8);
    const both = await recvFrom(session.channel, session.peer, octets('ot/bits', 2 * half));
    const mine = masks.subarray(start / 8, start / 8 + half);
    const named = choices.subarray(start / 8, start / 8 + half);
    for (let i = 0; i < half; i++) mine[i]! ^= (both[i]! & ~named[i]!) | (both[half + i]! & named[i]!);
  }
  return masks;
}

/** Of two vectors with `width` elements an OT, those elements that the choices name. */
export async function sendVectors(session: OtSender, width: number, zero: Vector, one: Vector): Promise<void> {
  const count = checkVectors('ot/vectors', width, zero, one);
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start, 'given');
    const n = (end - start) * width;
    const both = vector(Z2_64, 2 * n);
    for (const [i, v] of [zero, one].entries()) {
      const masked = both.words.subarray(i * n, (i + 1) * n);
      masked.set(maskWords(session.pi, rows, i === 0 ? noOffset : session.delta, width));
      kernels().addInto(masked, v.words.subarray(start * width, end * width));
    }
    await sendTo(session.channel, session.peer, elements('ot/vectors', Z2_64, 2 * n), both);
  }
}

export async function recvVectors(
  session: OtReceiver,
  width: number,
  count: number,
  choices: Uint8Array,
): Promise<Vector> {
  checkVectors('ot/vectors', width, vector(Z2_64, 0), vector(Z2_64, 0));
  const masks = await receiveWordMasks(session, width, count, choices);
  for (const [start, end] of pieces(count)) {
    const n = (end - start) * width;
    const { words } = await recvFrom(session.channel, session.peer, elements('ot/vectors', Z2_64, 2 * n));
    const [zero, one] = [words.slice(0, n), words.slice(n)];
    kernels().subInto(one, zero);
    selectInto(zero, one, choices, start, width);
    const mine = masks.subarray(start * width, end * width);
    kernels().subInto(zero, mine);
    mine.set(zero);
  }
  return { ring: Z2_64, words: masks };
}

/** x, where the receiver has x ⊕ c·δ for the packed bits δ. */
export async function sendCorrelatedBits(session: OtSender, count: number, deltas: Uint8Array): Promise<Uint8Array> {
  checkLengths('ot/correlated-bits', otsPerCallMax / 8, Math.ceil(count / 8), deltas.length);
  const x = new Uint8Array(deltas.length);
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start, 'given');
    const zero = firstBits(session.pi, rows, noOffset);
    const correction = firstBits(session.pi, rows, session.delta);
    kernels().xorInto(correction, zero);
    kernels().xorInto(correction, deltas.subarray(start / 8, start / 8 + zero.length));
    x.set(zero, start / 8);
    await sendTo(session.channel, session.peer, octets('ot/correlated-bits', correction.length), correction);
  }
  return x;
}

export async function recvCorrelatedBits(session: OtReceiver, count: number, choices: Uint8Array): Promise<Uint8Array> {
  const masks = await receiveMasks(session, count, choices, (rows) => firstBits(session.pi, rows, noOffset));
  for (const [start, end] of pieces(count)) {
    const size = Math.ceil((end - start) / 8);
    const form = octets('ot/correlated-bits', size);
    const correction = (await recvFrom(session.channel, session.peer, form)).slice();
    kernels().andInto(correction, choices.subarray(start / 8, start / 8 + size));
    kernels().xorInto(masks.subarray(start / 8, start / 8 + size), correction);
  }
  return masks;
}

/** x, where the receiver has x + c·δ in Z_2^64: `width` elements an OT. */
export async function sendCorrelated(session: OtSender, width: number, deltas: Vector): Promise<Vector> {
  const count = checkVectors('ot/correlated', width, deltas, deltas);
  const x = vector(Z2_64, count * width);
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start, 'given');
    const zero = maskWords(session.pi, rows, noOffset, width);
    const correction = { ring: Z2_64, words: zero.slice() };
    kernels().subInto(correction.words, maskWords(session.pi, rows, session.delta, width));
    kernels().addInto(correction.words, deltas.words.subarray(start * width, end * width));
    x.words.set(zero, start * width);
    await sendTo(session.channel, session.peer, elements('ot/correlated', Z2_64, zero.length), correction);
  }
  return x;
}

export async function recvCorrelated(
  session: OtReceiver,
  width: number,
  count: number,
  choices: Uint8Array,
): Promise<Vector> {
  checkVectors('ot/correlated', width, vector(Z2_64, 0), vector(Z2_64, 0));
  const masks = await receiveWordMasks(session, width, count, choices);
  for (const [start, end] of pieces(count)) {
    const n = (end - start) * width;
    const { words } = await recvFrom(session.channel, session.peer, elements('ot/correlated', Z2_64, n));
    selectInto(masks.subarray(start * width, end * width), words, choices, start, width);
  }
  return { ring: Z2_64, words: masks };
}

/** `width` words of each row's mask: two from each block of it. */
function maskWords(pi: AesPermutation, rows: Uint8Array, offset: Uint8Array, width: number): BigUint64Array {
  const count = rows.length / 16;
  const words = new BigUint64Array(count * width);
  if (width === 1) {
    firstWords(pi, rows, offset, words);
    return words;
  }
  for (let block = 0; 2 * block < width; block++) {
    const masks = new BigUint64Array(2 * count);
    maskRows(pi, rows, offset, block, new Uint8Array(masks.buffer));
    for (let i = 0; i < count; i++) {
      words[i * width + 2 * block] = masks[2 * i]!;
      if (2 * block + 1 < width) words[i * width + 2 * block + 1] = masks[2 * i + 1]!;
    }
  }
  return words;
}

/** Extends for all pieces before the first answer is read, so that the whole call takes one round each way. */
async function receiveMasks(
  session: OtReceiver,
  count: number,
  choices: Uint8Array,
  mask: (rows: Uint8Array) => Uint8Array,
): Promise<Uint8Array> {
  checkLengths('ot/choices', otsPerCallMax / 8, Math.ceil(count / 8), choices.length);
  const masks = new Uint8Array(choices.length);
  for (const [start, end] of pieces(count)) {
    const { rows } = await session.extend(end - start, choices.subarray(start / 8, Math.ceil(end / 8)));
    masks.set(mask(rows), start / 8);
  }
  return masks;
}

async function receiveWordMasks(
  session: OtReceiver,
  width: number,
  count: number,
  choices: Uint8Array,
): Promise<BigUint64Array<ArrayBuffer>> {
  checkLengths('ot/choices', otsPerCallMax / 8, Math.ceil(count / 8), choices.length);
  checkLengths('ot/elements', otElementsMax, count * width);
  const masks = new BigUint64Array(count * width);
  for (const [start, end] of pieces(count)) {
    const { rows } = await session.extend(end - start, choices.subarray(start / 8, Math.ceil(end / 8)));
    masks.set(maskWords(session.pi, rows, noOffset, width), start * width);
  }
  return masks;
}

/** From where to where each extension goes: multiples of 8 but for the end. */
function pieces(count: number): [start: number, end: number][] {
  return Array.from({ length: Math.ceil(count / otsMax) }, (_, i) => [i * otsMax, Math.min((i + 1) * otsMax, count)]);
}

function checkVectors(field: string, width: number, a: Vector, b: Vector): number {
  assert(Number.isInteger(width) && width > 0, 'an OT has one element or more');
  assert(a.ring === Z2_64 && b.ring === Z2_64, 'payloads are over Z_2^64');
  checkLengths(field, otElementsMax, length(a), length(b));
  assert(length(a) % width === 0, 'each OT has its elements');
  checkLengths(field, otsPerCallMax, length(a) / width);
  return length(a) / width;
}

/** target += other for the OTs, from `start` on, whose choice is 1. */
function selectInto(
  target: BigUint64Array,
  other: BigUint64Array,
  choices: Uint8Array,
  start: number,
  width: number,
): void {
  // A bit for each word, in whole bytes.
  const octets = Math.ceil(target.length / 8);
  const bits = width === 1 ? choices.subarray(start / 8, start / 8 + octets) : new Uint8Array(octets);
  if (width > 1) {
    for (let i = 0; i < target.length; i++) bits[i >> 3]! |= bitOf(choices, start + Math.floor(i / width)) << (i & 7);
  }
  if (target.length % 8 === 0) {
    kernels().selectInto(target, other, bits);
    return;
  }
  const [sum, term] = [new BigUint64Array(8 * octets), new BigUint64Array(8 * octets)];
  sum.set(target);
  term.set(other);
  kernels().selectInto(sum, term, bits);
  target.set(sum.subarray(0, target.length));
}
