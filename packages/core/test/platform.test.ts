import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../src/algebra/bytes.ts';
import { platform as node } from '../src/algebra/platform-node.ts';
import { platform as portable } from '../src/algebra/platform-portable.ts';

for (const [name, platform] of Object.entries({ node, portable })) {
  describe(`the ${name} platform`, () => {
    it('encrypts the block of FIPS 197 appendix B and C.1', () => {
      const b = platform.aesEcb(
        fromHex('2b7e151628aed2a6abf7158809cf4f3c'),
        fromHex('3243f6a8885a308d313198a2e0370734'),
      );
      expect(toHex(b)).toBe('3925841d02dc09fbdc118597196a0b32');
      const c1 = platform.aesEcb(
        fromHex('000102030405060708090a0b0c0d0e0f'),
        fromHex('00112233445566778899aabbccddeeff'),
      );
      expect(toHex(c1)).toBe('69c4e0d86a7b0430d8cdb78070b4c55a');
    });

    it('encrypts the ECB blocks of NIST SP 800-38A F.1.1', () => {
      const blocks = platform.aesEcb(
        fromHex('2b7e151628aed2a6abf7158809cf4f3c'),
        fromHex('6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51'),
      );
      expect(toHex(blocks)).toBe('3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf');
    });

    it('counts in one big-endian number, across its 32-bit words', () => {
      const key = fromHex('000102030405060708090a0b0c0d0e0f');
      for (const offset of [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5]) {
        const keystream = new Uint8Array(48);
        platform.aesCtr(key, keystream, offset);
        const counters = [0, 1, 2].map((i) => (BigInt(offset) + BigInt(i)).toString(16).padStart(32, '0')).join('');
        expect(toHex(keystream)).toBe(toHex(platform.aesEcb(key, fromHex(counters))));
      }
    });

    it('streams and permutes alike under a key that is set once, in however many calls', () => {
      const key = fromHex('000102030405060708090a0b0c0d0e0f');
      const whole = new Uint8Array(48);
      platform.aesCtr(key, whole, 0);
      const parts = new Uint8Array(48);
      const stream = platform.aesStream(key);
      stream.fill(parts.subarray(0, 16));
      parts.set(stream.next(16), 16);
      stream.fill(parts.subarray(32));
      expect(toHex(parts)).toBe(toHex(whole));
      const large = 600_000 - (600_000 % 16);
      const cut = platform.aesStream(key);
      expect(toHex(cut.next(48))).toBe(toHex(whole));
      expect(cut.next(large)).toHaveLength(large);
      expect(cut.next(48).constructor).toBe(Uint8Array);
      const permutation = platform.aesPermutation(key);
      expect(toHex(permutation(whole))).toBe(toHex(platform.aesEcb(key, whole)));
      expect(toHex(permutation(parts))).toBe(toHex(platform.aesEcb(key, whole)));
    });

    it('hashes the parts as one, as in FIPS 180-4', () => {
      const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
      expect(toHex(platform.sha256(fromHex('616263')))).toBe(abc);
      expect(toHex(platform.sha256(fromHex('61'), fromHex(''), fromHex('6263')))).toBe(abc);
    });

    it('draws as many bytes as asked, others each time', () => {
      for (const length of [0, 1, 65_536, 65_537]) expect(platform.randomBytes(length).length).toBe(length);
      expect(toHex(platform.randomBytes(16))).not.toBe(toHex(platform.randomBytes(16)));
    });

    it('refuses keys and blocks of other lengths as our own mistake', () => {
      expect(() => platform.aesCtr(new Uint8Array(15), new Uint8Array(16), 0)).toThrow('assertion failed');
      expect(() => platform.aesEcb(new Uint8Array(16), new Uint8Array(17))).toThrow('assertion failed');
      expect(() => platform.aesEcb(new Uint8Array(32), new Uint8Array(16))).toThrow('assertion failed');
    });
  });
}

it('gives the same bytes on both platforms, for every length and offset', () => {
  const key = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const lengths = fc.oneof(fc.nat(100), fc.constantFrom(4096, 256 * 1024, 256 * 1024 + 7));
  fc.assert(
    fc.property(key, lengths, fc.maxSafeNat(), (k, length, offset) => {
      const [a, b] = [new Uint8Array(length), new Uint8Array(length).fill(255)];
      node.aesCtr(k, a, Math.floor(offset / 2));
      portable.aesCtr(k, b, Math.floor(offset / 2));
      expect(Buffer.compare(a, b)).toBe(0);
    }),
    { numRuns: 50 },
  );
  fc.assert(
    fc.property(key, fc.uint8Array({ maxLength: 300 }), (k, bytes) => {
      const blocks = bytes.subarray(0, bytes.length - (bytes.length % 16));
      expect(portable.aesEcb(k, blocks)).toEqual(node.aesEcb(k, blocks));
      expect(portable.sha256(bytes, k)).toEqual(node.sha256(bytes, k));
    }),
  );
});
