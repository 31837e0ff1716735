import { describe, expect, it } from 'vitest';
import { concat } from '../src/algebra/bytes.ts';
import { sha256 } from '../src/algebra/hash.ts';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { okvsSize } from '../src/protocols/okvs.ts';
import { opprfBytes, recvOpprf, sendOpprf } from '../src/protocols/opprf.ts';
import { lockstep } from './lockstep.ts';

const rng = seededRng(1);
const seed = rng(16);
const code = (name: string) => expect.objectContaining({ code: name });

/** A function that the two of a test both know. */
function ideal(keys: Uint8Array): Uint8Array {
  return concat(
    ...Array.from({ length: keys.length / 16 }, (_, i) => sha256(keys.slice(16 * i, 16 * i + 16)).slice(16)),
  );
}

function program(
  keys: Uint8Array,
  values: Uint8Array,
  asked: Uint8Array,
  { count = keys.length / 16, coins = seededRng(2) as Rng, first = 0 } = {},
) {
  const blocks = values.length / keys.length;
  return async (ch: Channel): Promise<Uint8Array | undefined> => {
    if (ch.self === 'b') {
      return recvOpprf(ch, 'a', { keys: asked, outputs: ideal(asked), count, blocks, seed, first });
    }
    await sendOpprf(ch, 'b', { keys, outputs: ideal(keys), values: values.slice(), seed, first }, coins);
    return undefined;
  };
}

describe('a programmed function', () => {
  for (const blocks of [1, 2, 5]) {
    it(`gives values of ${blocks} blocks at the sender's keys, and noise elsewhere, at the stated cost`, async () => {
      const n = 200;
      const keys = rng(16 * n);
      const values = rng(16 * blocks * n);
      const others = rng(16 * n);
      const asked = new Uint8Array(32 * n);
      asked.set(keys);
      asked.set(others, 16 * n);
      const { values: ends, rounds, bytes } = await lockstep(['a', 'b'], program(keys, values, asked));
      const got = ends[1]!;
      expect(got.subarray(0, values.length)).toEqual(values);
      const noise = new BigUint64Array(got.slice(values.length).buffer);
      expect(new Set(noise).size).toBe(2 * blocks * n);
      expect(rounds).toBe(1);
      expect(bytes).toEqual({ a: opprfBytes(n, blocks), b: 0 });
      expect(opprfBytes(n, blocks)).toBe(1 + 16 * blocks * okvsSize(n));
    });
  }

  it('goes on with other masks in a second hint over the same keys', async () => {
    const keys = rng(16 * 50);
    const zeros = new Uint8Array(32 * 50);
    // What the receiver sees that counts blocks otherwise.
    const hints: Uint8Array[] = [];
    for (const first of [0, 1, 2]) {
      const { values } = await lockstep(['a', 'b'], program(keys, zeros, keys, { first }));
      expect(values[1]).toEqual(zeros);
      const crossed = await lockstep(['a', 'b'], async (ch) => {
        if (ch.self === 'a') return program(keys, zeros, keys, { first })(ch);
        return program(keys, zeros, keys, { first: 3 })(ch);
      });
      hints.push(crossed.values[1]!);
    }
    const seen = hints.flatMap((hint) => [...new BigUint64Array(hint.slice().buffer)]);
    // Each is the sum of two blocks of one key, and no two blocks are the same.
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('ends both ends with one error where the store is full', async () => {
    const keys = rng(16 * 10);
    // The store's first coins are where it fails.
    const coins: Rng = () => {
      throw new ProtocolError('OKVS_FULL');
    };
    const errors: unknown[] = [];
    const run = program(keys, keys, keys, { coins });
    await lockstep(['a', 'b'], (ch) => run(ch).catch((error) => void errors.push(error)));
    expect(errors).toEqual([code('OKVS_FULL'), code('OKVS_FULL')]);
  });

  it('refuses a hint of another size, and a first byte that says nothing', async () => {
    const [few, more] = [rng(16 * 10), rng(16 * 20)];
    await expect(lockstep(['a', 'b'], program(few, few, few, { count: 20 }))).rejects.toThrow(code('BAD_MESSAGE'));
    await expect(lockstep(['a', 'b'], program(more, more, few, { count: 10 }))).rejects.toThrow(code('TOO_LARGE'));
    const run = lockstep(['a', 'b'], async (ch) => {
      if (ch.self === 'a') await ch.send('b', 'opprf/ready', Uint8Array.of(2));
      else await program(few, few, few)(ch);
    });
    await expect(run).rejects.toThrow(code('BAD_MESSAGE'));
  });
});
