/**
 * Messages of a fixed layout: fields one after the other, little-endian, without tags; a message has exactly one length.
 *
 * `decode` turns bytes into a value that is right or throws BAD_MESSAGE; past it nobody checks again. It copies, so that
 * a value outlives the buffer it came in.
 * @module
 */
import { ProtocolError } from '../channel/errors.ts';
import { assert } from './assert.ts';

export interface Codec<T> {
  /** Bytes, always. */
  readonly size: number;
  encode(value: T): Uint8Array<ArrayBuffer>;
  /** @throws ProtocolError BAD_MESSAGE unless the bytes are exactly one value. */
  decode(bytes: Uint8Array): T;
}

/** A part of a message. */
export interface Field<T> {
  readonly size: number;
  write(view: DataView, offset: number, value: T): void;
  read(view: DataView, offset: number): T;
}

export type ValueOf<F> = F extends Field<infer T> ? T : never;

export const u8: Field<number> = {
  size: 1,
  write: (view, offset, value) => view.setUint8(offset, ranged(value, 0xff)),
  read: (view, offset) => view.getUint8(offset),
};

export const u16: Field<number> = {
  size: 2,
  write: (view, offset, value) => view.setUint16(offset, ranged(value, 0xffff), true),
  read: (view, offset) => view.getUint16(offset, true),
};

export const u32: Field<number> = {
  size: 4,
  write: (view, offset, value) => view.setUint32(offset, ranged(value, 0xffff_ffff), true),
  read: (view, offset) => view.getUint32(offset, true),
};

export const u64: Field<bigint> = {
  size: 8,
  write(view, offset, value) {
    assert(value >= 0n && value < 1n << 64n, 'a u64 is an integer below 2^64');
    view.setBigUint64(offset, value, true);
  },
  read: (view, offset) => view.getBigUint64(offset, true),
};

export function bytes(length: number): Field<Uint8Array> {
  return {
    size: length,
    write(view, offset, value) {
      assert(value.length === length, `the field has ${length} bytes`);
      new Uint8Array(view.buffer, view.byteOffset + offset, length).set(value);
    },
    read: (view, offset) => new Uint8Array(view.buffer, view.byteOffset + offset, length).slice(),
  };
}

/** 64-bit words, as a vector's limbs are. */
export function words(count: number): Field<BigUint64Array> {
  const raw = bytes(8 * count);
  return {
    size: raw.size,
    write(view, offset, value) {
      assert(value.length === count, `the field has ${count} words`);
      raw.write(view, offset, new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
    },
    read: (view, offset) => new BigUint64Array(raw.read(view, offset).buffer as ArrayBuffer),
  };
}

/** `struct({ index: u32, hash: bytes(32), shares: words(n) })`: the fields in this order. */
export function struct<F extends Record<string, Field<unknown>>>(
  fields: F,
): Codec<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  const layout = Object.entries(fields) as [string, Field<unknown>][];
  const size = layout.reduce((sum, [, field]) => sum + field.size, 0);
  return {
    size,
    encode(value) {
      const out = new Uint8Array(size);
      const view = new DataView(out.buffer);
      let offset = 0;
      for (const [name, field] of layout) {
        field.write(view, offset, value[name]);
        offset += field.size;
      }
      return out;
    },
    decode(message) {
      if (message.length !== size) {
        throw new ProtocolError('BAD_MESSAGE', { detail: `${message.length} bytes instead of ${size}` });
      }
      const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
      const value: Record<string, unknown> = {};
      let offset = 0;
      for (const [name, field] of layout) {
        value[name] = field.read(view, offset);
        offset += field.size;
      }
      return value as { readonly [K in keyof F]: ValueOf<F[K]> };
    },
  };
}

function ranged(value: number, max: number): number {
  assert(Number.isInteger(value) && value >= 0 && value <= max, `the field is an integer from 0 to ${max}`);
  return value;
}
