/**
 * The frame: one binary WebSocket message, a header of 32 bytes and a payload. All numbers are little-endian.
 *
 * ```
 *  0  version   u8    1                         20  from      u16   index in the charter's sorted list of parties,
 *  1  type      u8    1 control, 2 session,     22  to        u16   0xffff the coordinator, 0xfffe an analyst
 *                     3 bulk, 4 ack, 5 ask,     24  sequence  u32   per session and direction, from 0, no gaps; of
 *                     6 resume                                      4, 5, 6: how many frames of the session have come
 *  2  reserved  u16   0                         28  length    u32   bytes of the payload that follow
 *  4  session   16 bytes
 * ```
 *
 * The types 4 to 6 keep a session going over links that break; resumable-stream.ts says how.
 *
 * Sends     32 bytes beside the payload, 1 MiB in all at most
 * Security  none of its own: what a session frame carries is sealed, and its order is kept by the seal's counters
 * @module
 */
import { lengthPrefixed, u32, utf8 } from '@folkmoot/core/bytes.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { TransportError } from '@folkmoot/core/errors.js';
import { sha256 } from '@folkmoot/core/hash.js';

export const frameHeaderBytes = 32;
/** Also the `maxPayload` of every WebSocket: large enough that its cost vanishes, small enough to be cheap to refuse. */
export const frameBytesMax = 1024 * 1024;
export const framePayloadBytesMax = frameBytesMax - frameHeaderBytes;
export const sessionIdBytes = 16;

export const frameType = { control: 1, session: 2, bulk: 3, ack: 4, ask: 5, resume: 6 } as const;
export type FrameType = (typeof frameType)[keyof typeof frameType];

/** Whether frames of this type pass between two parties, and are none of the relay's business. */
export function isBetweenParties(type: FrameType): boolean {
  return type === frameType.session || type >= frameType.ack;
}

export const coordinatorIndex = 0xffff;
export const analystIndex = 0xfffe;

export interface FrameHeader {
  readonly type: FrameType;
  readonly session: Uint8Array;
  readonly from: number;
  readonly to: number;
  readonly sequence: number;
}

export interface Frame extends FrameHeader {
  /** A view of the frame's own bytes. */
  readonly payload: Uint8Array;
}

const version = 1;

/** A frame of its own bytes, with room for a payload of this length: the caller fills it in place. */
export function frameWithRoom(header: FrameHeader, payloadBytes: number): Uint8Array {
  if (payloadBytes > framePayloadBytesMax) {
    throw new TransportError('FRAME_TOO_LARGE', { detail: `${payloadBytes} bytes of payload` });
  }
  if (header.session.length !== sessionIdBytes) throw new RangeError('a session id has 16 bytes');
  // Not from the pool of small buffers: a frame may be handed over to another thread whole.
  const frame = Buffer.allocUnsafeSlow(frameHeaderBytes + payloadBytes);
  frame[0] = version;
  frame[1] = header.type;
  frame.writeUInt16LE(0, 2);
  frame.set(header.session, 4);
  frame.writeUInt16LE(header.from, 20);
  frame.writeUInt16LE(header.to, 22);
  frame.writeUInt32LE(header.sequence, 24);
  frame.writeUInt32LE(payloadBytes, 28);
  return frame;
}

export function encodeFrame(header: FrameHeader, payload: Uint8Array): Uint8Array {
  const frame = frameWithRoom(header, payload.length);
  frame.set(payload, frameHeaderBytes);
  return frame;
}

/**
 * The frame in these bytes; its session id and payload are views of them.
 * @throws TransportError FRAME_TOO_LARGE, BAD_FRAME
 */
export function decodeFrame(bytes: Uint8Array): Frame {
  if (bytes.length > frameBytesMax) throw new TransportError('FRAME_TOO_LARGE', { detail: `${bytes.length} bytes` });
  if (bytes.length < frameHeaderBytes) throw new TransportError('BAD_FRAME', { detail: 'shorter than its header' });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint8(0) !== version) throw new TransportError('BAD_FRAME', { field: 'version' });
  const type = view.getUint8(1);
  if (type < frameType.control || type > frameType.resume) throw new TransportError('BAD_FRAME', { field: 'type' });
  if (view.getUint16(2, true) !== 0) throw new TransportError('BAD_FRAME', { field: 'reserved' });
  const length = view.getUint32(28, true);
  if (length !== bytes.length - frameHeaderBytes) {
    const detail = length > bytes.length - frameHeaderBytes ? 'the payload is cut' : 'bytes follow the payload';
    throw new TransportError('BAD_FRAME', { field: 'length', detail });
  }
  return {
    type: type as FrameType,
    session: bytes.subarray(4, 4 + sessionIdBytes),
    from: view.getUint16(20, true),
    to: view.getUint16(22, true),
    sequence: view.getUint32(24, true),
    payload: bytes.subarray(frameHeaderBytes),
  };
}

/** The session of a pair in one attempt of one job; both ends, and the relay, compute the same. */
export function sessionId(job: Uint8Array, attempt: number, a: PartyId, b: PartyId): Uint8Array {
  const [first, second] = a < b ? [a, b] : [b, a];
  const bound = lengthPrefixed(utf8('folkmoot session v1'), job, u32(attempt), utf8(first), utf8(second));
  return sha256(bound).slice(0, sessionIdBytes);
}
