import { describe, expect, it } from 'vitest';
import { platform } from '../src/algebra/platform-node.ts';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import { type Kernels, newKernels } from '../src/kernels/kernels.ts';
import { plainKernels } from '../src/kernels/plain.ts';
import { correctionBytes, growHeld, growOwned, scratchBytes } from '../src/protocols/correlated-tree.ts';
import { codeTables, type ExpandConvolute, expandConvolute } from '../src/protocols/expand-convolute.ts';
import { drawDelta, OtReceiver, OtSender } from '../src/protocols/ot-extension.ts';
import {
  batchBytes,
  batchesFor,
  batchOts,
  recvBatch,
  SilentSender,
  seedOts,
  sendBatch,
} from '../src/protocols/silent-ot.ts';
import { channels } from './channels.ts';
import { bit, idealBaseOts } from './relations.ts';

const options = { extension: 'silent', base: idealBaseOts } as const;
const rowOf = (rows: Uint8Array, i: number) => rows.subarray(16 * i, 16 * i + 16);
const pi = platform.aesPermutation(seededRng(99)(16).slice());

/** Correlated OTs as a trusted party would hand them out. */
function idealRows(seed: number, count: number) {
  const rng = seededRng(seed);
  const delta = drawDelta(rng, options);
  const [q, choices] = [rng(16 * count).slice(), rng(count / 8).slice()];
  const t = q.slice();
  for (let i = 0; i < count; i++) {
    if (bit(choices, i) === 1) for (let j = 0; j < 16; j++) t[16 * i + j]! ^= delta[j]!;
  }
  return { delta, q, rows: t, choices };
}

/** The first row for which q = t ⊕ c·Δ does not hold, or −1. */
function firstWrong(q: Uint8Array, t: Uint8Array, choices: Uint8Array, delta: Uint8Array): number {
  for (let i = 0; i < q.length / 16; i++) {
    const c = bit(choices, i);
    for (let j = 0; j < 16; j++) if (q[16 * i + j] !== (t[16 * i + j]! ^ (c === 1 ? delta[j]! : 0))) return i;
  }
  return q.length === t.length ? -1 : q.length;
}

describe('the expand–convolute code', () => {
  const n = 840;
  const encoded = (code: ExpandConvolute, noise: Uint8Array) => {
    code.noise.set(noise);
    return code.encode().slice();
  };

  it('is the same in both forms of the kernels, and in every call', () => {
    const noise = seededRng(1)(16 * n);
    const [fast, plain] = [newKernels(), plainKernels].map((k) => expandConvolute(n, 0, k));
    const expected = encoded(plain!, noise);
    for (let i = 0; i < 2; i++) expect(encoded(fast!, noise)).toEqual(expected);
    expect(expected.length).toBe(8 * n);
  });

  it('is linear', () => {
    const code = expandConvolute(n, 0);
    const [a, b] = [seededRng(1)(16 * n).slice(), seededRng(2)(16 * n).slice()];
    const sum = a.map((byte, i) => byte ^ b[i]!);
    const [codeA, codeB] = [encoded(code, a), encoded(code, b)];
    expect(encoded(code, sum)).toEqual(codeA.map((byte, i) => byte ^ codeB[i]!));
  });

  it('is B·A, for a convolution of the 24 rows before and one row of each of 21 parts', () => {
    const { taps, places } = codeTables(n);
    const noise = seededRng(3)(16 * n).slice();
    const expected = encoded(expandConvolute(n, 0), noise);
    // A, from the definition: its taps lie in fours.
    const y = noise;
    const add = (target: Uint8Array, other: Uint8Array) => {
      for (let j = 0; j < 16; j++) target[j]! ^= other[j]!;
    };
    let named = 0;
    for (let i = 0; i < n; i++) {
      for (let place = 0; place < 32; place++) {
        if (bit(taps, 32 * i + place) === 0) continue;
        const four = i - (i % 4);
        const from = place < 24 ? four - 4 * (Math.floor(place / 4) + 1) + (place % 4) : four + place - 24;
        expect(i - from).toBeGreaterThan(0);
        expect(i - from).toBeLessThanOrEqual(24);
        named += 1;
        if (from >= 0) add(rowOf(y, i), rowOf(y, from));
      }
    }
    expect(Math.abs(named - 12 * n)).toBeLessThan(2.5 * Math.sqrt(24 * n));
    // B: three passes over a third of the rows each, with seven parts in each third.
    const out = new Uint8Array(8 * n);
    const words = new Uint16Array(places.buffer, places.byteOffset, places.length / 2);
    const part = n / 21;
    for (const [at, place] of words.entries()) {
      expect(place).toBeLessThan(part);
      const pass = Math.floor(at / (words.length / 3));
      const i = Math.floor((at % (words.length / 3)) / 7);
      add(rowOf(out, i), rowOf(y, (7 * pass + (at % 7)) * part + place));
    }
    expect(out).toEqual(expected);
  });
});

describe('correlated trees', () => {
  for (const [trees, levels] of [
    [8, 1],
    [8, 4],
    [24, 7],
  ] as const) {
    it(`add up to Δ, and the holder lacks one leaf of each, for ${trees} trees of ${levels} levels`, () => {
      const count = trees * levels;
      const { delta, q, rows, choices } = idealRows(levels, count);
      const ground = (k: Kernels) => {
        const [leaves, scratch] = k.reserve(16 * trees * 2 ** levels, scratchBytes(trees));
        return { kernels: k, leaves: leaves!, scratch: scratch! };
      };
      // Each end in one form of the kernels.
      const [owned, held] = [ground(newKernels()), ground(plainKernels)];
      const correction = growOwned(owned, pi, q, delta, trees);
      expect(correction.length).toBe(correctionBytes(trees, levels));
      const paths = [...growHeld(held, pi, rows, choices, correction, trees)];
      // One path a tree, whose turns are the choices' complement.
      for (const [j, path] of paths.entries()) {
        expect(path % trees).toBe(j);
        for (let l = 0; l < levels; l++)
          expect((Math.floor(path / trees) >> l) & 1).toBe(1 - bit(choices, l * trees + j));
      }
      const noise = new Uint8Array(Math.ceil((trees * 2 ** levels) / 8));
      for (const path of paths) noise[path >> 3]! |= 1 << (path & 7);
      expect(firstWrong(owned.leaves, held.leaves, noise, delta)).toBe(-1);
      for (let j = 0; j < trees; j++) {
        const sum = new Uint8Array(16);
        for (let x = 0; x < 2 ** levels; x++) {
          for (let i = 0; i < 16; i++) sum[i]! ^= owned.leaves[16 * (x * trees + j) + i]!;
        }
        expect(sum).toEqual(delta);
      }
    });
  }
});

describe('a batch', () => {
  const { delta, q, rows, choices } = idealRows(1, seedOts);
  const sent = sendBatch(pi, q, delta);
  const received = recvBatch(pi, { rows, choices }, sent.correction);

  it('has rows q = t ⊕ c·Δ, whose choice is the low bit of t', () => {
    expect(firstWrong(sent.rows, received.rows, received.choices, delta)).toBe(-1);
    expect(sent.rows.length).toBe(16 * (batchOts + seedOts));
    expect(sent.correction.length).toBe(batchBytes);
    for (let i = 0; i < 1000; i++) {
      expect(received.rows[16 * i]! & 1).toBe(bit(received.choices, i));
      expect(sent.rows[16 * i]! & 1).toBe(0);
    }
  });

  it('has choices and rows that look random, and do not repeat', () => {
    const count = 8 * received.choices.length;
    let [ones, pairs] = [0, 0];
    for (let i = 0; i < count; i++) {
      ones += bit(received.choices, i);
      pairs += bit(received.choices, i) & bit(received.choices, (i + 1) % count);
    }
    expect(Math.abs(ones - count / 2)).toBeLessThan(2.5 * Math.sqrt(count));
    expect(Math.abs(pairs - count / 4)).toBeLessThan(5 * Math.sqrt(count * (3 / 16)));
    // Chi-square of the bytes: 255 degrees of freedom, five standard deviations.
    const seen = new Float64Array(256);
    for (const byte of received.choices) seen[byte]! += 1;
    const mean = received.choices.length / 256;
    const chiSquare = seen.reduce((sum, each) => sum + (each - mean) ** 2 / mean, 0);
    expect(Math.abs(chiSquare - 255)).toBeLessThan(5 * Math.sqrt(2 * 255));
    expect(
      new Set(Array.from({ length: count }, (_, i) => Buffer.from(rowOf(sent.rows, i)).toString('hex'))).size,
    ).toBe(count);
  });

  it('is another one for other choices of the noise', () => {
    const changed = choices.slice();
    changed[0]! ^= 1;
    const other = recvBatch(pi, { rows: idealRows(1, seedOts).rows, choices: changed }, sent.correction);
    expect(other.choices).not.toEqual(received.choices);
  });

  it('needs an odd Δ, and a seed for each level', () => {
    const [ch] = channels(['a', 'b']);
    const even = delta.slice();
    even[0]! &= 0xfe;
    expect(() => new SilentSender(ch!, 'b', pi, even, q)).toThrow('assertion failed');
    expect(() => new SilentSender(ch!, 'b', pi, delta, q.subarray(16))).toThrow('assertion failed');
  });
});

describe('a silent session', () => {
  const code = (name: string) => expect.objectContaining({ code: name });
  const ends = async () => {
    const [a, b] = channels(['a', 'b']);
    return Promise.all([
      OtSender.open(a!, 'b', seededRng(1), options),
      OtReceiver.open(b!, 'a', seededRng(2), options),
    ]);
  };

  it('hands out pieces of its batches, each once, across the seams of batches', async () => {
    const [sender, receiver] = await ends();
    const counts = [1, 8, 9, 65_536, 30_000, 131_072];
    const rows = new Set<string>();
    for (const count of counts) {
      const given = seededRng(count)(Math.ceil(count / 8));
      const [q, r] = await Promise.all([sender.extend(count, 'given'), receiver.extend(count, given)]);
      expect(r.rows.length).toBe(16 * count);
      expect(firstWrong(q, r.rows, given, sender.delta)).toBe(-1);
      for (const i of [0, count - 1]) rows.add(Buffer.from(rowOf(r.rows, i)).toString('hex'));
      const [q2, r2] = await Promise.all([sender.extend(count), receiver.extend(count)]);
      expect(r2.choices.length).toBe(Math.ceil(count / 8));
      expect(firstWrong(q2, r2.rows, r2.choices, sender.delta)).toBe(-1);
      for (const i of [0, count - 1]) rows.add(Buffer.from(rowOf(r2.rows, i)).toString('hex'));
    }
    expect(rows.size).toBe(4 * counts.length - 2);
  });

  it('counts its batches by whole octets', () => {
    expect([[], [1], [batchOts], [batchOts, 1], [1, batchOts - 8], [1, batchOts - 7]].map(batchesFor)).toEqual([
      0, 1, 1, 2, 1, 2,
    ]);
  });

  it('refuses choices and a batch of another length', async () => {
    for (const [count, refusal] of [
      [400, 'TOO_LARGE'],
      [8000, 'BAD_MESSAGE'],
    ] as const) {
      const [sender, receiver] = await ends();
      receiver.extend(800, new Uint8Array(100)).catch(() => {});
      await expect(sender.extend(count, 'given')).rejects.toThrow(code(refusal));
    }
    for (const [bytes, refusal] of [
      [batchBytes + 16, 'TOO_LARGE'],
      [batchBytes - 16, 'BAD_MESSAGE'],
    ] as const) {
      const [a, b] = channels(['a', 'b']);
      const receiver = await OtReceiver.open(b!, 'a', seededRng(2), options);
      await a!.fork('ot/a/b').fork('batches').send('b', 'ot/batch', new Uint8Array(bytes));
      await expect(receiver.extend(8)).rejects.toThrow(code(refusal));
    }
  });

  it('ends with an error at both ends wherever a party stops', async () => {
    let failed = 0;
    for (const party of ['a', 'b']) {
      for (let atStep = 1; atStep <= 7; atStep++) {
        const { outcomes } = await simulate(
          { parties: ['a', 'b'], seed: atStep, faults: { crash: { party, atStep } } },
          async (ch: Channel) => {
            if (ch.self === 'a') {
              const sender = await OtSender.open(ch, 'b', seededRng(1), options);
              for (let i = 0; i < 3; i++) await sender.extend(100_000, 'given');
            } else {
              const receiver = await OtReceiver.open(ch, 'a', seededRng(2), options);
              for (let i = 0; i < 3; i++) await receiver.extend(100_000, new Uint8Array(12_500));
            }
          },
        );
        const stopped = outcomes.get(party)!;
        if (!('error' in stopped)) continue;
        expect(stopped.error).toMatchObject({ code: 'PARTY_FAILED' });
        const other = outcomes.get(party === 'a' ? 'b' : 'a')!;
        // Who had all it needed by then has ended well.
        if (!('error' in other)) continue;
        expect(other.error).toMatchObject({ layer: 'protocol' });
        failed += 1;
      }
    }
    expect(failed).toBeGreaterThan(5);
  });
});
