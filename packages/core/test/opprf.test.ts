import { describe, expect, it } from 'vitest';
import { platform } from '../src/algebra/platform-node.ts';
import { type Rng, seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { ProtocolError } from '../src/channel/errors.ts';
import { maskRows } from '../src/protocols/correlation-hash.ts';
import { okvsSize } from '../src/protocols/okvs.ts';
import { opprfBytes, recvOpprf, sendOpprf } from '../src/protocols/opprf.ts';
import { lockstep } from './lockstep.ts';

const rng = seededRng(1);
const seed = rng(16);
const code = (name: string) => expect.objectContaining({ code: name });

/** A function that the two of a test both know. */
function ideal(blocks: number): (keys: Uint8Array) => Uint8Array {
  const pi = platform.aesPermutation(new Uint8Array(16));
  return (keys) => {
    const rows = new Uint8Array(keys.length * blocks);
    for (let block = 0; block < blocks; block++) {
      const masks = new Uint8Array(keys.length);
      maskRows(pi, keys, new Uint8Array(16), block, masks);
      for (let i = 0; i < keys.length / 16; i++) {
        rows.set(masks.subarray(16 * i, 16 * i + 16), 16 * (blocks * i + block));
      }
    }
    return rows;
  };
}

function program(
  keys: Uint8Array,
  values: Uint8Array,
  asked: Uint8Array,
  { count = keys.length / 16, coins = seededRng(2) as Rng } = {},
) {
  const outputs = ideal(values.length / keys.length);
  return async (ch: Channel): Promise<Uint8Array | undefined> => {
    if (ch.self === 'b') return recvOpprf(ch, 'a', { keys: asked, outputs: outputs(asked), count, seed });
    await sendOpprf(ch, 'b', { keys, values: values.slice(), seed }, outputs, coins);
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
