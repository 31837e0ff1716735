/**
 * The forms of oblivious transfer on an extension's rows: random, chosen and correlated, of bits and of vectors.
 *
 * With H the correlation-robust hash, the sender has the masks H(q) and H(q ⊕ Δ) of an OT, the receiver H(t), which is
 * the one of them that its choice c names. Chosen messages travel under both masks. A correlated OT with difference δ
 * gives the sender x and the receiver x ⊕ c·δ, or x + c·δ in a ring; one value corrects the second mask to x + δ. Each OT
 * may have one difference, or one of each of several vectors, over rings of their own.
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
import { addInto, length, type Ring, slice, subInto, type Vector, vector, Z2_64 } from '../algebra/ring.ts';
import { kernels } from '../kernels/kernels.ts';
import { firstBits, firstWords, maskRows } from './correlation-hash.ts';
import { checkLengths } from './cost.ts';
import { elements, octets, recvFrom, sendTo } from './message.ts';
import { type OtReceiver, type OtSender, otsMax } from './ot-extension.ts';
import { bitOf } from './softspoken-ot.ts';

/** OTs of one call: who waits for their results holds 32 MiB of masks. Who needs more calls again. */
export const otsPerCallMax = 2 ** 22;

/** Words of one call's vectors, 128 MiB. */
export const otElementsMax = 2 ** 24;

/** What a protocol on OTs costs besides them: bytes of both ends, and the OTs that it takes, in whole octets. */
export interface TransferCost {
  readonly rounds: number;
  readonly bytes: number;
  readonly ots: number;
}

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

/** Two random bits for each OT, packed. */
export async function sendRandomBits(session: OtSender, count: number): Promise<{ zero: Uint8Array; one: Uint8Array }> {
  const [zero, one] = [new Uint8Array(Math.ceil(count / 8)), new Uint8Array(Math.ceil(count / 8))];
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start);
    zero.set(firstBits(session.pi, rows, noOffset), start / 8);
    one.set(firstBits(session.pi, rows, session.delta), start / 8);
  }
  return { zero, one };
}

/** Random choices, and the bits that they name; packed. */
export async function recvRandomBits(
  session: OtReceiver,
  count: number,
): Promise<{ choices: Uint8Array; chosen: Uint8Array }> {
  const [choices, chosen] = [new Uint8Array(Math.ceil(count / 8)), new Uint8Array(Math.ceil(count / 8))];
  for (const [start, end] of pieces(count)) {
    const piece = await session.extend(end - start);
    choices.set(piece.choices.subarray(0, Math.ceil((end - start) / 8)), start / 8);
    chosen.set(firstBits(session.pi, piece.rows, noOffset), start / 8);
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

/** x, where the receiver has x + c·δ: one element of each vector for an OT. */
export async function sendCorrelated(session: OtSender, deltas: readonly Vector[]): Promise<Vector[]> {
  const rings = deltas.map(({ ring }) => ring);
  const [count = 0, ...others] = deltas.map(length);
  checkLengths('ot/correlated', otsPerCallMax, count, ...others);
  checkLengths('ot/elements', otElementsMax, count * limbsOf(rings));
  const x = rings.map((ring) => vector(ring, count));
  await session.prepare(count);
  for (const [start, end] of pieces(count)) {
    const rows = await session.extend(end - start, 'given');
    const words = new BigUint64Array((end - start) * limbsOf(rings));
    const [zeros, corrections] = [x.map((v) => slice(v, start, end)), columnsOf(words, rings, end - start)];
    const ones = rings.map((ring) => vector(ring, end - start));
    maskVectors(session.pi, rows, noOffset, zeros);
    maskVectors(session.pi, rows, session.delta, ones);
    for (const [i, correction] of corrections.entries()) {
      correction.words.set(zeros[i]!.words);
      subInto(correction, ones[i]!);
      addInto(correction, slice(deltas[i]!, start, end));
    }
    await sendTo(session.channel, session.peer, elements('ot/correlated', Z2_64, words.length), { ring: Z2_64, words });
  }
  return x;
}

export async function recvCorrelated(
  session: OtReceiver,
  rings: readonly Ring[],
  count: number,
  choices: Uint8Array,
): Promise<Vector[]> {
  checkLengths('ot/choices', otsPerCallMax / 8, Math.ceil(count / 8), choices.length);
  checkLengths('ot/elements', otElementsMax, count * limbsOf(rings));
  const y = rings.map((ring) => vector(ring, count));
  for (const [start, end] of pieces(count)) {
    const { rows } = await session.extend(end - start, choices.subarray(start / 8, Math.ceil(end / 8)));
    const parts = y.map((v) => slice(v, start, end));
    maskVectors(session.pi, rows, noOffset, parts);
  }
  for (const [start, end] of pieces(count)) {
    const form = elements('ot/correlated', Z2_64, (end - start) * limbsOf(rings));
    const { words } = await recvFrom(session.channel, session.peer, form);
    for (const [i, correction] of columnsOf(words, rings, end - start).entries()) {
      addWhere(slice(y[i]!, start, end), correction, choices.subarray(start / 8, Math.ceil(end / 8)));
    }
  }
  return y;
}

/** target += other where the bit is set; bits are packed. */
export function addWhere(target: Vector, other: Vector, bits: Uint8Array): void {
  if (target.ring.limbs === 1) {
    selectInto(target.words, other.words, bits, 0, 1);
    return;
  }
  const { limbs } = target.ring;
  const term = vector(other.ring, length(other));
  const [from, to] = [halvesOf(other), halvesOf(term)];
  for (let i = 0, at = 0; at < to.length; i++) {
    const mask = -bitOf(bits, i);
    for (const end = at + 2 * limbs; at < end; at++) to[at] = from[at]! & mask;
  }
  addInto(target, term);
}

/** Fills the vectors with one element of each row's mask: a word for each limb, two words from each block. */
export function maskVectors(
  pi: AesPermutation,
  rows: Uint8Array,
  offset: Uint8Array,
  targets: readonly Vector[],
): void {
  if (targets.length === 1 && targets[0]!.ring.limbs === 1) {
    firstWords(pi, rows, offset, targets[0]!.words);
    return;
  }
  const masks = new Uint8Array(rows.length);
  for (const [word, { target, limb }] of targets.flatMap(limbsIn).entries()) {
    if (word % 2 === 0) maskRows(pi, rows, offset, word >>> 1, masks);
    spread(new Uint32Array(masks.buffer), 2 * (word % 2), halvesOf(target), 2 * limb, 2 * target.ring.limbs);
  }
}

function limbsIn(target: Vector): { readonly target: Vector; readonly limb: number }[] {
  return Array.from({ length: target.ring.limbs }, (_, limb) => ({ target, limb }));
}

/** One word of each mask of 16 bytes to one limb of each element. */
function spread(masks: Uint32Array, from: number, target: Uint32Array, to: number, stride: number): void {
  for (let at = from; at < masks.length; at += 4, to += stride) {
    target[to] = masks[at]!;
    target[to + 1] = masks[at + 1]!;
  }
}

/** The vectors of so many elements that lie one behind the other, as views of the same memory. */
function columnsOf(words: BigUint64Array, rings: readonly Ring[], count: number): Vector[] {
  let start = 0;
  return rings.map((ring) => {
    start += count * ring.limbs;
    return { ring, words: words.subarray(start - count * ring.limbs, start) };
  });
}

function limbsOf(rings: readonly Ring[]): number {
  return rings.reduce((sum, { limbs }) => sum + limbs, 0);
}

function halvesOf({ words }: Vector): Uint32Array {
  return new Uint32Array(words.buffer, words.byteOffset, 2 * words.length);
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
