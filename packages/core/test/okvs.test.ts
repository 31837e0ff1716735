import { describe, expect, it } from 'vitest';
import { concat, toHex } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { kernels } from '../src/kernels/kernels.ts';
import { recvFrom, sendTo } from '../src/protocols/message.ts';
import { decodeOkvs, encodeOkvs, okvsMessage, okvsSize } from '../src/protocols/okvs.ts';
import { hashInto, keysByRank, okvsClusters } from '../src/protocols/okvs-clusters.ts';
import { okvsShape } from '../src/protocols/okvs-shape.ts';
import { chiSquareUpper } from '../src/query/measure/distribution.ts';
import { channels } from './channels.ts';
import { refusalOf } from './refusal.ts';

/** n random keys with values of so many blocks, and a seed. */
function pairs(n: number, blocks = 1, chance = n) {
  const rng = seededRng(chance);
  return { rng, keys: rng(16 * n).slice(), values: rng(16 * n * blocks).slice(), seed: rng(16).slice() };
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  return a.map((byte, i) => byte ^ b[i]!);
}

const isSame = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** p of the bytes being uniform. */
function uniformity(bytes: Uint8Array): number {
  const counts = new Array<number>(256).fill(0);
  for (const byte of bytes) counts[byte]!++;
  const expected = bytes.length / 256;
  return chiSquareUpper(
    counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0),
    255,
  );
}

/** The triple of places of each key of a store with one cluster, as one number. */
function triples(n: number, keys: Uint8Array, seed: Uint8Array): number[] {
  const shape = okvsShape(n);
  const [hashes, own, placeBytes] = kernels().reserve(keys.length, keys.length, (keys.length / 16) * 12);
  own!.set(keys);
  hashInto(hashes!, okvsClusters(shape, keys, seed).ciphers[0]!, own!);
  const places = new Uint32Array(placeBytes!.buffer, placeBytes!.byteOffset, (keys.length / 16) * 3);
  kernels().threePlaces(hashes!, places, shape.sparse);
  return Array.from({ length: keys.length / 16 }, (_, i) => {
    const [a, b, c] = places.slice(3 * i, 3 * i + 3).sort();
    return (a! * 2 ** 16 + b!) * 2 ** 16 + c!;
  });
}

/** n keys of which so many are the second of a pair with the same places, which peeling sets aside. */
function keysWithTwins(n: number, twins: number, seed: Uint8Array): Uint8Array {
  const pool = seededRng(77)(16 * 12_000);
  const first = new Map<number, number>();
  const chosen = new Set<number>();
  for (const [i, triple] of triples(n, pool, seed).entries()) {
    const other = first.get(triple);
    if (other === undefined) first.set(triple, i);
    else if (chosen.size < 2 * twins && !chosen.has(other)) chosen.add(other).add(i);
  }
  expect(chosen.size).toBe(2 * twins);
  for (let i = 0; chosen.size < n; i++) chosen.add(i);
  const keys = new Uint8Array(16 * n);
  for (const [at, i] of [...chosen].entries()) keys.set(pool.subarray(16 * i, 16 * i + 16), 16 * at);
  return keys;
}

describe('an oblivious key-value store', () => {
  it('answers every stored key with its value, for sets of every size', () => {
    const sizes = [
      ...Array.from({ length: 40 }, (_, i) => i + 1),
      100,
      511,
      1000,
      4097,
      16_384,
      20_000,
      24_576,
      24_577,
    ];
    for (const n of [...sizes, 2 ** 17]) {
      const { rng, keys, values, seed } = pairs(n);
      const store = encodeOkvs(keys, values, seed, rng);
      expect(store.length).toBe(16 * okvsSize(n));
      expect(isSame(decodeOkvs(store, n, keys, seed), values), `${n} keys`).toBe(true);
    }
  });

  it('holds values of several blocks', () => {
    for (const [n, blocks] of [
      [1, 2],
      [3000, 3],
      [40_000, 5],
    ] as const) {
      const { rng, keys, values, seed } = pairs(n, blocks);
      const store = encodeOkvs(keys, values, seed, rng);
      expect(store.length).toBe(16 * blocks * okvsSize(n));
      expect(isSame(decodeOkvs(store, n, keys, seed), values), `${n} keys`).toBe(true);
    }
  });

  it('takes keys, values and stores that do not begin on a word’s border', () => {
    const { rng, keys, values, seed } = pairs(50);
    const shifted = (bytes: Uint8Array) => {
      const moved = new Uint8Array(bytes.length + 1).subarray(1);
      moved.set(bytes);
      return moved;
    };
    const store = encodeOkvs(shifted(keys), shifted(values), shifted(seed), (length) => shifted(rng(length)));
    expect(decodeOkvs(shifted(store), 50, shifted(keys), shifted(seed))).toEqual(values);
  });

  it('is the same for the same coins, and another for others', () => {
    const { keys, values, seed } = pairs(300);
    const [a, b, c] = [1, 1, 2].map((chance) => encodeOkvs(keys, values, seed, seededRng(chance)));
    expect(a).toEqual(b);
    expect(isSame(a!, c!)).toBe(false);
  });

  it('is the one that a plain version has written, byte for byte', () => {
    const digests = [
      [1, 1, 'f60f4147a69a376b', 'edc139b7e5ce3848'],
      [300, 1, 'ef081bc0bc3e277c', '78bea0adea56a14a'],
      [5000, 3, 'c85ff71711791c8a', 'c3830e28749e6208'],
      [40_000, 2, '6fa2f86a0001f6d3', '5b34136eb068b37c'],
    ] as const;
    const digest = (bytes: Uint8Array) => toHex(sha256(bytes)).slice(0, 16);
    for (const [n, blocks, encoded, decoded] of digests) {
      const { rng, keys, values, seed } = pairs(n, blocks);
      const store = encodeOkvs(keys, values, seed, rng);
      expect(digest(store)).toBe(encoded);
      expect(digest(decodeOkvs(store, n, rng(16 * n), seed))).toBe(decoded);
    }
  });

  it('answers in the order that it is asked, any number of times', () => {
    const n = 40_000;
    const { rng, keys, values, seed } = pairs(n);
    const store = encodeOkvs(keys, values, seed, rng);
    const asked = [7, 39_999, 7, 0, 20_000];
    const rowsOf = (all: Uint8Array) => new Uint8Array(asked.flatMap((i) => [...all.subarray(16 * i, 16 * i + 16)]));
    expect(decodeOkvs(store, n, rowsOf(keys), seed)).toEqual(rowsOf(values));
    expect(decodeOkvs(store, n, new Uint8Array(0), seed)).toEqual(new Uint8Array(0));
    // More keys than it holds, and more than are decoded at a time.
    const small = encodeOkvs(keys.subarray(0, 160), values.subarray(0, 160), seed, rng);
    const answers = decodeOkvs(small, 10, concat(keys, keys.subarray(0, 160)), seed);
    expect(answers.subarray(0, 160)).toEqual(values.subarray(0, 160));
    expect(answers.subarray(-160)).toEqual(values.subarray(0, 160));
  });

  it('is linear', () => {
    for (const [n, blocks] of [
      [20, 2],
      [40_000, 1],
    ] as const) {
      const { rng, keys, seed } = pairs(n);
      const [p, q] = [rng(16 * blocks * okvsSize(n)), rng(16 * blocks * okvsSize(n))];
      const [ofP, ofQ] = [decodeOkvs(p, n, keys, seed), decodeOkvs(q, n, keys, seed)];
      expect(isSame(decodeOkvs(xor(p, q), n, keys, seed), xor(ofP, ofQ))).toBe(true);
    }
  });

  it('answers keys that are not stored, or under another seed, with noise', () => {
    const n = 20_000;
    const { rng, keys, seed } = pairs(n);
    // Values that are anything but random.
    const store = encodeOkvs(keys, new Uint8Array(16 * n), seed, rng);
    expect(uniformity(decodeOkvs(store, n, rng(16 * n), seed))).toBeGreaterThan(1e-4);
    expect(uniformity(decodeOkvs(store, n, keys, rng(16)))).toBeGreaterThan(1e-4);
  });

  it('is uniform at every row where the values are, whatever the keys', () => {
    const n = 24;
    const { rng, keys, seed } = pairs(n);
    const rows = okvsSize(n);
    const seen = Array.from({ length: rows }, () => new Uint8Array(16 * 400));
    for (let i = 0; i < 400; i++) {
      const store = encodeOkvs(keys, rng(16 * n), seed, rng);
      for (let r = 0; r < rows; r++) seen[r]!.set(store.subarray(16 * r, 16 * r + 16), 16 * i);
    }
    for (const row of seen) expect(uniformity(row)).toBeGreaterThan(1e-6);
  });

  it('is uniform in its dense rows where rows were set aside', () => {
    const n = 64;
    const { rng, values, seed } = pairs(n);
    const keys = keysWithTwins(n, 1, seed);
    const { sparse } = okvsShape(n);
    const seen = Array.from({ length: 30 }, () => encodeOkvs(keys, rng(values.length), seed, rng).slice(16 * sparse));
    expect(uniformity(concat(...seen))).toBeGreaterThan(1e-4);
  });

  it('solves what peeling sets aside, up to as many rows as are dense', () => {
    const n = 64;
    const { rng, values, seed } = pairs(n, 2);
    const { dense } = okvsShape(n);
    for (let twins = 1; twins <= dense; twins++) {
      const keys = keysWithTwins(n, twins, seed);
      const store = encodeOkvs(keys, values, seed, rng);
      expect(isSame(decodeOkvs(store, n, keys, seed), values), `${twins} rows`).toBe(true);
    }
  });

  it('ends with one error, which says nothing, whatever does not fit', () => {
    const n = 64;
    const { rng, values, seed } = pairs(n);
    const tooManyTwins = keysWithTwins(n, okvsShape(n).dense + 1, seed);
    const aside = refusalOf(() => encodeOkvs(tooManyTwins, values, seed, rng));

    // Three in four keys are of one cluster of two.
    const [n2, crowd] = [2 ** 15, 3 * 2 ** 13];
    const wide = pairs(2 * n2);
    const { keys, starts } = okvsClusters(okvsShape(n2), wide.keys, wide.seed);
    const second = 16 * starts[1]!;
    const crowded = concat(keys.subarray(0, 16 * crowd), keys.subarray(second, second + 16 * (n2 - crowd)));
    expect(crowded.length).toBe(16 * n2);
    const load = refusalOf(() => encodeOkvs(crowded, wide.values.subarray(0, 16 * n2), wide.seed, rng));

    for (const { code, message, field, party } of [aside, load]) {
      expect(code).toBe('OKVS_FULL');
      expect({ message, field, party }).toEqual({ message: aside.message, field: undefined, party: undefined });
    }
  });

  it('refuses a key that stands twice', () => {
    for (const n of [2, 1000, 40_000]) {
      const { rng, keys, values, seed } = pairs(n);
      keys.copyWithin(0, 16 * (n - 1));
      expect(() => encodeOkvs(keys, values, seed, rng)).toThrow('the keys of a store differ');
      expect(() => encodeOkvs(keys.fill(7), values, seed, rng)).toThrow('the keys of a store differ');
    }
  });

  it('asserts the forms of what it is given', () => {
    const { rng, keys, values, seed } = pairs(10);
    expect(() => encodeOkvs(keys.subarray(1), values, seed, rng)).toThrow('from 1 to 2^24 keys');
    expect(() => encodeOkvs(keys, values.subarray(16), seed, rng)).toThrow('a multiple of 16 bytes');
    expect(() => encodeOkvs(keys, values.subarray(0, 0), seed, rng)).toThrow('a multiple of 16 bytes');
    expect(() => encodeOkvs(keys, values, seed.subarray(1), rng)).toThrow('a seed has 16 bytes');
    const store = encodeOkvs(keys, values, seed, rng);
    expect(() => decodeOkvs(store.subarray(16), 10, keys, seed)).toThrow('a store has all its rows');
    expect(() => decodeOkvs(store, 10, keys.subarray(1), seed)).toThrow('a key has 16 bytes');
    for (const n of [0, 2 ** 24 + 1, 1.5]) expect(() => okvsSize(n)).toThrow('from 1 to 2^24 keys');
  });

  it('is refused at the border unless it has exactly its rows', async () => {
    const { rng, keys, values, seed } = pairs(100, 2);
    const store = encodeOkvs(keys, values, seed, rng);
    const Hint = okvsMessage('hint', 100, 2);
    const [a, b] = channels(['a', 'b']);
    await sendTo(a!, 'b', Hint, store);
    expect(isSame(decodeOkvs(await recvFrom(b!, 'a', Hint), 100, keys, seed), values)).toBe(true);
    for (const length of [0, 32, store.length - 32, store.length - 1]) {
      const [c, d] = channels(['a', 'b']);
      await c!.send('b', Hint.label, store.subarray(0, length));
      const refusal = expect.objectContaining({ code: 'BAD_MESSAGE', party: 'a', field: 'hint' });
      await expect(recvFrom(d!, 'a', Hint)).rejects.toThrow(refusal);
    }
  });
});

describe('the order of clusters', () => {
  it('has every key once, those of one cluster in their own order', () => {
    const n = 50_000;
    const { keys, seed } = pairs(n);
    const clusters = okvsClusters(okvsShape(n), keys, seed);
    const members = keysByRank(clusters.ranks);
    expect(clusters.starts).toHaveLength(okvsShape(n).clusters + 1);
    expect([clusters.starts[0], clusters.starts.at(-1)]).toEqual([0, n]);
    expect([...members].sort((a, b) => a - b)).toEqual([...Array(n).keys()]);
    let wrong = 0;
    for (let c = 0; c + 1 < clusters.starts.length; c++) {
      for (let rank = clusters.starts[c]! + 1; rank < clusters.starts[c + 1]!; rank++) {
        if (members[rank]! <= members[rank - 1]!) wrong++;
      }
    }
    expect(wrong).toBe(0);
    expect(isSame(clusters.keys.subarray(160, 176), keys.subarray(16 * members[10]!, 16 * members[10]! + 16))).toBe(
      true,
    );
  });
});

describe('the size of a store', () => {
  it('is what both ends expect', () => {
    const sizes = [1, 100, 2 ** 10, 2 ** 14, 2 ** 16, 2 ** 20, 3 * 2 ** 20].map(okvsSize);
    expect(sizes).toEqual([23, 205, 1469, 20_772, 88_248, 1_419_648, 4_270_080]);
    expect(okvsShape(2 ** 20)).toEqual({ clusters: 64, capacity: 17_429, sparse: 22_179, dense: 3 });
  });

  it('never leaves a cluster without room, from the smallest store to the largest', () => {
    for (let n = 1; n <= 2 ** 24; n = Math.ceil(n * 1.07)) {
      const { clusters, capacity, sparse, dense } = okvsShape(n);
      expect(clusters * capacity).toBeGreaterThanOrEqual(n);
      expect(sparse).toBeGreaterThan(1.25 * capacity);
      expect(dense).toBeGreaterThanOrEqual(2);
      // Places are drawn from 32 bits, of which the bias must stay small.
      expect(sparse).toBeLessThan(2 ** 16);
    }
  });
});
