import fc from 'fast-check';
import { expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import { platform } from '../src/algebra/platform-node.ts';
import { Prg, seededRng } from '../src/algebra/prg.ts';

const key = new Uint8Array(16).map((_, i) => i);

it('is the AES-CTR keystream from counter 0, however it is cut', () => {
  const whole = new Uint8Array(40_000);
  platform.aesCtr(key, whole, 0);
  const pieces = fc.array(fc.oneof(fc.nat(40), fc.constantFrom(16, 4095, 4096, 4097, 9000)), { maxLength: 6 });
  fc.assert(
    fc.property(pieces, (lengths) => {
      const prg = new Prg(key);
      let at = 0;
      for (const length of lengths.filter((each) => at + each <= whole.length)) {
        if (at + length > whole.length) break;
        const out = new Uint8Array(length);
        prg.fill(out);
        expect(Buffer.compare(out, whole.subarray(at, at + length))).toBe(0);
        at += length;
      }
    }),
  );
});

it('gives words little-endian', () => {
  // AES of the zero block under this key, from FIPS 197 by another implementation.
  expect(toHex(new Uint8Array(new Prg(key).words(2).buffer))).toBe('c6a13b37878f5b826f4f8162a1c8d879');
  expect(new Prg(key).words(1)[0]).toBe(0x825b8f87373ba1c6n);
});

it('keeps its key when the caller changes the array', () => {
  const mine = new Uint8Array(key);
  const prg = new Prg(mine);
  mine.fill(0);
  expect(prg.words(1)).toEqual(new Prg(key).words(1));
});

it('replays a seed and keeps seeds apart', () => {
  const first = seededRng(5);
  const second = seededRng(5);
  expect(first(10)).toEqual(second(10));
  expect(first(10)).toEqual(second(10));
  expect(seededRng(5)(16)).not.toEqual(seededRng(6)(16));
  expect(seededRng(new Uint8Array([5, 0, 0, 0]))(16)).toEqual(seededRng(5)(16));
});
