/**
 * Oblivious programmable pseudorandom function: the sender sets what the receiver sees at keys of the sender's choice,
 * after Kolesnikov et al. (CCS 2017), by an oblivious key-value store as in Rindal and Schoppmann (EUROCRYPT 2021).
 *
 * Both have an OPRF F already: the receiver its outputs at its keys, the sender all of it. The sender's hint is a store
 * of value ⊕ F(key) for each of its keys. At a key that both have, what the store answers ⊕ F(key) is the value; at any
 * other it is noise.
 *
 * Rounds    1 (sender to receiver)        Sends    1 byte, and okvsSize(n)·16·blocks for n keys
 * Security  Where the receiver does not know F, the hint is uniform: it cannot even test keys that it guesses. Values at
 *           keys of the receiver's are to be uniform to it, or it sees which keys are common. OKVS_FULL depends on the
 *           keys, and ends both ends with one code.
 * Memory    At the sender the values, which become the hint's, and the store; at the receiver the store.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Rng } from '../algebra/prg.ts';
import type { Channel, PartyId } from '../channel/channel.ts';
import { isFolkmootError, ProtocolError } from '../channel/errors.ts';
import { kernels } from '../kernels/kernels.ts';
import { octets, recvFrom, sendTo } from './message.ts';
import { decodeOkvs, encodeOkvs, okvsSize } from './okvs.ts';

const blockBytes = 16;

/** A hint travels in pieces, of which a link queues several. */
const pieceBytes = 2 ** 24;

/** Whether a hint follows: 0 where it does, 1 where the store is full. */
const Ready = octets('opprf/ready', 1);

/** What the sender programs. */
export interface Program {
  /** 16 bytes each; all differ. */
  readonly keys: Uint8Array;
  /** 16·blocks bytes for each; they are spent. */
  readonly values: Uint8Array;
  readonly seed: Uint8Array;
}

/**
 * Lets the receiver see the values at the keys. `outputs` are those of F, 16·blocks bytes for each key.
 * @throws ProtocolError OKVS_FULL, at both ends
 */
export async function sendOpprf(
  ch: Channel,
  peer: PartyId,
  { keys, values, seed }: Program,
  outputs: (keys: Uint8Array) => Uint8Array,
  rng: Rng,
): Promise<void> {
  const count = keys.length / blockBytes;
  const valueBytes = values.length / count;
  for (let start = 0; start < count; start += stepKeys) {
    const step = keys.subarray(blockBytes * start, blockBytes * (start + stepKeys));
    kernels().xorInto(values.subarray(valueBytes * start, valueBytes * (start + stepKeys)), outputs(step));
  }
  const hint = encoded(keys, values, seed, rng);
  await sendTo(ch, peer, Ready, Uint8Array.of(hint === undefined ? 1 : 0));
  if (hint === undefined) throw new ProtocolError('OKVS_FULL');
  for (const [start, end] of piecesOf(hint.length)) {
    await sendTo(ch, peer, octets('opprf/hint', end - start), hint.subarray(start, end));
  }
}

/** Keys whose outputs are there at once. */
const stepKeys = 2 ** 19;

/** Undefined where the store is full. */
function encoded(keys: Uint8Array, values: Uint8Array, seed: Uint8Array, rng: Rng): Uint8Array | undefined {
  try {
    return encodeOkvs(keys, values, seed, rng);
  } catch (error) {
    if (isFolkmootError(error) && error.code === 'OKVS_FULL') return undefined;
    throw error;
  }
}

/** What the receiver asks for. */
export interface Question {
  readonly keys: Uint8Array;
  /** Of F at the keys: 16·blocks bytes for each. */
  readonly outputs: Uint8Array;
  /** Keys of the sender. */
  readonly count: number;
  readonly seed: Uint8Array;
}

/**
 * The values at the receiver's keys.
 * @throws ProtocolError OKVS_FULL, at both ends; BAD_MESSAGE
 */
export async function recvOpprf(
  ch: Channel,
  peer: PartyId,
  { keys, outputs, count, seed }: Question,
): Promise<Uint8Array> {
  const blocks = outputs.length / keys.length;
  assert(Number.isInteger(blocks) && blocks > 0, 'a value has a multiple of 16 bytes');
  const [isFull] = await recvFrom(ch, peer, Ready);
  if (isFull === 1) throw new ProtocolError('OKVS_FULL', { party: peer });
  if (isFull !== 0) throw new ProtocolError('BAD_MESSAGE', { party: peer, field: Ready.label });
  const hint = new Uint8Array(okvsSize(count) * blocks * blockBytes);
  for (const [start, end] of piecesOf(hint.length)) {
    hint.set(await recvFrom(ch, peer, octets('opprf/hint', end - start)), start);
  }
  const values = decodeOkvs(hint, count, keys, seed);
  kernels().xorInto(values, outputs);
  return values;
}

/** Bytes of a hint for so many keys. */
export function opprfBytes(count: number, blocks: number): number {
  return Ready.bytesMax + okvsSize(count) * blocks * blockBytes;
}

function piecesOf(bytes: number): [start: number, end: number][] {
  return Array.from({ length: Math.ceil(bytes / pieceBytes) }, (_, i) => {
    return [i * pieceBytes, Math.min((i + 1) * pieceBytes, bytes)];
  });
}
