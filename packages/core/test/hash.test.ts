import { expect, it } from 'vitest';
import { fromHex, toHex, utf8 } from '../src/algebra/bytes.ts';
import { canonicalJson, hashJson, hkdf, hmacSha256, hmacSha256Under, sha256 } from '../src/algebra/hash.ts';

it('computes the HMAC of RFC 4231 case 2, in any number of parts', () => {
  const mac = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843';
  expect(toHex(hmacSha256(utf8('Jefe'), utf8('what do ya want for nothing?')))).toBe(mac);
  expect(toHex(hmacSha256(utf8('Jefe'), utf8('what do ya '), utf8('want for nothing?')))).toBe(mac);
});

it('computes many HMACs under one key, each as if it were alone', () => {
  const mac = hmacSha256Under(utf8('Jefe'));
  for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 0]) {
    const message = new Uint8Array(length).fill(length);
    expect(toHex(mac(message))).toBe(toHex(hmacSha256(utf8('Jefe'), message)));
  }
});

it('derives the key of RFC 5869 case 1', () => {
  const okm = hkdf(
    fromHex('0b'.repeat(22)),
    fromHex('000102030405060708090a0b0c'),
    fromHex('f0f1f2f3f4f5f6f7f8f9'),
    42,
  );
  expect(toHex(okm)).toBe('3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865');
});

it('hashes a JSON value by what it says, not by how it was written', () => {
  expect(canonicalJson({ b: [1, 'é', null], a: 1e21 })).toBe('{"a":1e+21,"b":[1,"é",null]}');
  expect(hashJson(JSON.parse('{ "b": 2, "a": 1.0 }'))).toEqual(hashJson({ a: 1, b: 2 }));
  expect(hashJson({ a: 1 })).toEqual(sha256(utf8('{"a":1}')));
  expect(() => canonicalJson(undefined)).toThrow('assertion failed');
});
