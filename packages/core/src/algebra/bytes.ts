/**
 * Byte strings: joining, comparing, and the strict text forms of them.
 *
 * Each value has one text form only: lower-case hex, and base64 (RFC 4648 §4) with its padding and with zero pad bits.
 * What decodes therefore encodes to the same text again, and a signed text cannot be respelled.
 * @module
 */
import { assert } from './assert.ts';

const encoder = new TextEncoder();

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Compares in a time that depends on the lengths alone. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text);
}

/** Each part behind its length (u32, little-endian): no two different lists of parts give the same bytes. */
export function lengthPrefixed(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return concat(...parts.flatMap((part) => [u32(part.length), part]));
}

/** An unsigned 32-bit integer, little-endian. */
export function u32(value: number): Uint8Array<ArrayBuffer> {
  assert(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, 'a u32 is an integer below 2^32');
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

const hexDigits = '0123456789abcdef';

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += hexDigits[byte >> 4]! + hexDigits[byte & 15]!;
  return text;
}

/** @throws RangeError unless the text is an even number of lower-case hex digits. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new RangeError('not lower-case hex');
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const base64Alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** Text grows in pieces of so many bytes (a multiple of 3), so that long values are joined and not concatenated. */
const base64PieceBytes = 3 * 8192;

export function toBase64(bytes: Uint8Array): string {
  const pieces: string[] = [];
  for (let start = 0; start < bytes.length; start += base64PieceBytes) {
    pieces.push(base64Piece(bytes.subarray(start, start + base64PieceBytes)));
  }
  return pieces.join('');
}

function base64Piece(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    text += base64Alphabet[group >> 18]! + base64Alphabet[(group >> 12) & 63]!;
    text += i + 1 < bytes.length ? base64Alphabet[(group >> 6) & 63]! : '=';
    text += i + 2 < bytes.length ? base64Alphabet[group & 63]! : '=';
  }
  return text;
}

/** @throws RangeError unless the text is base64 with padding, and with pad bits of zero. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) throw new RangeError('not base64');
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  for (let i = 0, at = 0; i < text.length; i += 4, at += 3) {
    const group = (digit(text, i) << 18) | (digit(text, i + 1) << 12) | (digit(text, i + 2) << 6) | digit(text, i + 3);
    // Stores beyond the end of a typed array are ignored, which drops the padding.
    bytes[at] = group >> 16;
    bytes[at + 1] = (group >> 8) & 255;
    bytes[at + 2] = group & 255;
    const isLast = i + 4 === text.length;
    if (isLast && (group & ((1 << (8 * padding)) - 1)) !== 0) throw new RangeError('not base64: pad bits are set');
  }
  return bytes;
}

function digit(text: string, i: number): number {
  const code = text.charCodeAt(i);
  if (code >= 97) return code - 71; // a…z
  if (code >= 65) return code - 65; // A…Z
  if (code >= 48) return code === 61 ? 0 : code + 4; // 0…9, and the padding
  return code === 43 ? 62 : 63; // + and /
}
