/**
 * The strict guard in front of MessagePack: it walks the bytes once, keeps no more than the keys of the maps that are
 * open, and lets through only what our own encoder writes: nil, booleans, integers up to 32 bits, doubles, UTF-8
 * strings, byte strings, arrays, and maps with string keys.
 *
 * It refuses extensions, depth over 16, counts beyond the remaining bytes, duplicate keys, bad UTF-8, 64-bit integers
 * (which would lose digits), and trailing bytes. Decoding what passed makes no object that the bytes did not pay for.
 *
 * Cost  linear in the bytes
 * @module
 */
import { TransportError } from '@folkmoot/core/errors.js';

/** Our deepest message has 5 levels; the limit keeps a hostile one from exhausting the stack. */
export const depthMax = 16;

interface Cursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at: number;
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** Keys that mean something to JavaScript itself. */
const forbiddenKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** @throws TransportError BAD_CONTROL unless the bytes are exactly one well-formed value. */
export function guard(bytes: Uint8Array): void {
  const cursor = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), at: 0 };
  value(cursor, 1);
  if (cursor.at !== bytes.length) refuse('bytes follow the message');
}

/** How many bytes follow the heads of values without parts. */
const scalarBytes: ReadonlyMap<number, number> = new Map([
  [0xc0, 0], // nil
  [0xc2, 0], // false
  [0xc3, 0], // true
  [0xcb, 8], // double
  [0xcc, 1], // unsigned integers
  [0xcd, 2],
  [0xce, 4],
  [0xd0, 1], // signed integers
  [0xd1, 2],
  [0xd2, 4],
]);

function value(cursor: Cursor, depth: number): void {
  if (depth > depthMax) refuse('nested too deeply');
  const head = cursor.view.getUint8(take(cursor, 1));
  if (head <= 0x7f || head >= 0xe0) return; // a small integer
  if (head <= 0x8f) map(cursor, head & 0x0f, depth);
  else if (head <= 0x9f) array(cursor, head & 0x0f, depth);
  else if (isText(head)) text(cursor, head);
  else if (head >= 0xc4 && head <= 0xc6) take(cursor, count(cursor, head - 0xc4));
  else if (head === 0xdc || head === 0xdd) array(cursor, count(cursor, head - 0xdb), depth);
  else if (head === 0xde || head === 0xdf) map(cursor, count(cursor, head - 0xdd), depth);
  else take(cursor, scalarBytes.get(head) ?? refuse('a type that is not spoken here'));
}

/** A big-endian count of 1, 2 or 4 bytes (power 0, 1, 2). */
function count(cursor: Cursor, power: number): number {
  const at = take(cursor, 1 << power);
  if (power === 0) return cursor.view.getUint8(at);
  return power === 1 ? cursor.view.getUint16(at) : cursor.view.getUint32(at);
}

/** Moves on by so many bytes, which must be there, and tells where they begin. */
function take(cursor: Cursor, length: number): number {
  const at = cursor.at;
  if (length > cursor.bytes.length - at) refuse('the message is cut');
  cursor.at = at + length;
  return at;
}

function isText(head: number): boolean {
  return (head >= 0xa0 && head <= 0xbf) || (head >= 0xd9 && head <= 0xdb);
}

function text(cursor: Cursor, head: number): string {
  const length = head <= 0xbf ? head & 0x1f : count(cursor, head - 0xd9);
  const at = take(cursor, length);
  try {
    return decoder.decode(cursor.bytes.subarray(at, at + length));
  } catch {
    return refuse('a text is not UTF-8');
  }
}

function array(cursor: Cursor, length: number, depth: number): void {
  // Every element takes a byte at least, so a count beyond the rest is refused before anything is walked.
  if (length > cursor.bytes.length - cursor.at) refuse('a count exceeds the message');
  for (let i = 0; i < length; i++) value(cursor, depth + 1);
}

function map(cursor: Cursor, length: number, depth: number): void {
  if (2 * length > cursor.bytes.length - cursor.at) refuse('a count exceeds the message');
  const keys = new Set<string>();
  for (let i = 0; i < length; i++) {
    const key = mapKey(cursor);
    if (keys.has(key)) refuse('a key stands twice');
    keys.add(key);
    value(cursor, depth + 1);
  }
}

function mapKey(cursor: Cursor): string {
  const head = cursor.view.getUint8(take(cursor, 1));
  if (!isText(head)) refuse('a key is not a text');
  const key = text(cursor, head);
  if (forbiddenKeys.has(key)) refuse('a key is not allowed');
  return key;
}

function refuse(detail: string): never {
  throw new TransportError('BAD_CONTROL', { detail });
}
