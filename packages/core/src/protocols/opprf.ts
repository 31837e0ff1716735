/**
 * Oblivious programmable pseudorandom function: the sender sets what the receiver sees at keys of the sender's choice,
 * after Kolesnikov et al. (CCS 2017), by an oblivious key-value store as in Rindal and Schoppmann (EUROCRYPT 2021).
 *
 * Both have an OPRF F already: the receiver its outputs at its keys, the sender those at all of its own. The sender's hint
 * is a store of value ⊕ G(F(key)) for each of its keys. At a key that both have, what the store answers ⊕ G(F(key)) is the
 * value; at any other it is noise. G makes as many blocks of an output as a value has, by the hash of
 * `correlation-hash.ts`, which counts blocks: a second hint over the same keys and seed takes the blocks behind the first's.
 *
 * Rounds    1 (sender to receiver)        Sends    1 byte, and okvsSize(n)·16·blocks for n keys
 * Security  Where the receiver does not know F, the hint is uniform: it cannot even test keys that it guesses. Values at
 *           keys of the receiver's are to be uniform to it, or it sees which keys are common. OKVS_FULL depends on the
 *           keys, and ends both ends with one code.
 * Memory    At the sender the values, which become the hint's, and the store; at the receiver the store.
 * @module
 */
import { platform } from '#platform';
import { assert } from '../algebra/assert.ts';
import { utf8 } from '../algebra/bytes.ts';
import { sha256 } from '../algebra/hash.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { isFolkmootError, ProtocolError } from '../channel/errors.ts';
import { kernels } from '../kernels/kernels.ts';
import { maskRows } from './correlation-hash.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { decodeOkvs, encodeOkvs, okvsSize } from './okvs.ts';

const blockBytes = 16;

/** A hint travels in pieces, of which a link queues several. */
const pieceBytes = 2 ** 24;

/** Outputs are hashed in steps of so many bytes, which stay in a core's cache. */
const stepBytes = 64 * 1024;

const noOffset = new Uint8Array(blockBytes);

/** Whether a hint follows: 0 where it does, 1 where the store is full. */
const Ready = octets('opprf/ready', 1);

/** What both ends have of a hint. */
interface Keyed {
  /** 16 bytes each; all differ. */
  readonly keys: Uint8Array;
  /** Of F, 16 bytes for each key. */
  readonly outputs: Uint8Array;
  readonly seed: Uint8Array;
  /** The first block of G that it takes. */
  readonly first: number;
}

/** What the sender programs. */
export interface Program extends Keyed {
  /** A multiple of 16 bytes for each key; they are spent. */
  readonly values: Uint8Array;
}

/**
 * Lets the receiver see the values at the keys.
 * @throws ProtocolError OKVS_FULL, at both ends
 */
export async function sendOpprf(ch: Channel, peer: PartyId, program: Program, rng: Rng): Promise<void> {
  mask(program, program.values);
  const hint = encoded(program, rng);
  await sendTo(ch, peer, Ready, Uint8Array.of(hint === undefined ? 1 : 0));
  if (hint === undefined) throw new ProtocolError('OKVS_FULL');
  for (const [start, end] of piecesOf(hint.length)) {
    await sendTo(ch, peer, octets('opprf/hint', end - start), hint.subarray(start, end));
  }
}

/** Undefined where the store is full. */
function encoded({ keys, values, seed }: Program, rng: Rng): Uint8Array | undefined {
  try {
    return encodeOkvs(keys, values, seed, rng);
  } catch (error) {
    if (isFolkmootError(error) && error.code === 'OKVS_FULL') return undefined;
    throw error;
  }
}

/** What the receiver asks for. */
export interface Question extends Keyed {
  /** Keys of the sender. */
  readonly count: number;
  /** Of a value. */
  readonly blocks: number;
}

/**
 * The values at the receiver's keys.
 * @throws ProtocolError OKVS_FULL, at both ends; BAD_MESSAGE
 */
export async function recvOpprf(ch: Channel, peer: PartyId, question: Question): Promise<Uint8Array> {
  const { keys, count, blocks, seed } = question;
  const [isFull] = await recvFrom(ch, peer, Ready);
  if (isFull === 1) throw new ProtocolError('OKVS_FULL', { party: peer });
  if (isFull !== 0) throw new ProtocolError('BAD_MESSAGE', { party: peer, field: Ready.label });
  const hint = new Uint8Array(okvsSize(count) * blocks * blockBytes);
  for (const [start, end] of piecesOf(hint.length)) {
    hint.set(await recvFrom(ch, peer, octets('opprf/hint', end - start)), start);
  }
  const values = decodeOkvs(hint, count, keys, seed);
  mask(question, values);
  return values;
}

/** Bytes of a hint for so many keys. */
export function opprfBytes(count: number, blocks: number): number {
  return Ready.bytesMax + okvsSize(count) * blocks * blockBytes;
}

/** Adds G of each output to its value. */
function mask({ keys, outputs, seed, first }: Keyed, values: Uint8Array): void {
  const blocks = values.length / keys.length;
  assert(Number.isInteger(blocks) && blocks >= 1, 'a value has a multiple of 16 bytes');
  assert(outputs.length === keys.length, 'each key has its output');
  const pi = platform.aesPermutation(sha256(utf8('folkmoot opprf v1'), seed).slice(0, 16));
  const masks = new Uint32Array(stepBytes / 4);
  const targets = new Uint32Array(values.buffer, values.byteOffset, values.length / 4);
  for (let start = 0; start < outputs.length; start += stepBytes) {
    const step = outputs.subarray(start, start + stepBytes);
    const bytes = new Uint8Array(masks.buffer, 0, step.length);
    for (let c = 0; c < blocks; c++) {
      maskRows(pi, step, noOffset, first + c, bytes);
      if (blocks === 1) kernels().xorInto(values.subarray(start, start + stepBytes), bytes);
      else addBlocks(targets, (start / 4) * blocks + 4 * c, 4 * blocks, masks.subarray(0, step.length / 4));
    }
  }
}

/** Adds each block to one of each value's. */
function addBlocks(values: Uint32Array, at: number, stride: number, blocks: Uint32Array): void {
  for (let from = 0, to = at; from < blocks.length; from += 4, to += stride) {
    values[to]! ^= blocks[from]!;
    values[to + 1]! ^= blocks[from + 1]!;
    values[to + 2]! ^= blocks[from + 2]!;
    values[to + 3]! ^= blocks[from + 3]!;
  }
}

function piecesOf(bytes: number): [start: number, end: number][] {
  return Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, i) => {
    return [i * pieceBytes, Math.min((i + 1) * pieceBytes, bytes)];
  });
}
