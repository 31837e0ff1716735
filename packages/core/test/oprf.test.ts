import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import { idealReceiver, idealSender } from '../src/protocols/ideal-pair.ts';
import { okvsSize } from '../src/protocols/okvs.ts';
import { evaluateOprf, type OprfKey, oprfCost, recvOprf, sendOprf } from '../src/protocols/oprf.ts';
import { chiSquareUpper } from '../src/query/measure/distribution.ts';
import { channels } from './channels.ts';

const seed = seededRng(9)(16).slice();
const keysOf = (n: number, chance = n) => seededRng(chance)(16 * n).slice();
const code = (name: string) => expect.objectContaining({ code: name, party: 'b' });

/** Both ends over an ideal source: the receiver's outputs, the sender's key, and what the sender saw. */
async function run(keys: Uint8Array, { chance = 1, source = 1 } = {}) {
  const n = keys.length / 16;
  const seen: Uint8Array[] = [];
  const all = channels(['a', 'b'], {
    write(from, to, record) {
      if (from === 'b') seen.push(record.slice(24));
      all.find(({ self }) => self === to)!.deliver(from, record);
    },
  });
  const [a, b] = all;
  const [sender, receiver] = [idealSender(a!, 'b', source), idealReceiver(b!, 'a', source)];
  const [key, outputs] = await Promise.all([
    sendOprf(a!, 'b', sender.vole, n, seed),
    recvOprf(b!, 'a', receiver.vole, keys, seed, seededRng(chance)),
  ]);
  expect(receiver.taken.voles).toBe(oprfCost(n).voles);
  expect(sender.taken.voles).toBe(oprfCost(n).voles);
  return { key, outputs, seen: Buffer.concat(seen) };
}

function uniformity(bytes: Uint8Array): number {
  const seen = new Float64Array(256);
  for (const byte of bytes) seen[byte]! += 1;
  const mean = bytes.length / 256;
  return chiSquareUpper(
    seen.reduce((sum, each) => sum + (each - mean) ** 2 / mean, 0),
    255,
  );
}

function rowsOf(bytes: Uint8Array, size: number): string[] {
  return Array.from({ length: bytes.length / size }, (_, i) =>
    Buffer.from(bytes.subarray(i * size, (i + 1) * size)).toString('hex'),
  );
}

describe('an oblivious pseudorandom function', () => {
  it('gives the receiver what the sender evaluates, for its own keys and for no other', async () => {
    for (const n of [1, 2, 100, 1000, 20_000]) {
      const keys = keysOf(n);
      const { key, outputs } = await run(keys);
      expect(Buffer.compare(evaluateOprf(key, keys), outputs), `${n} keys`).toBe(0);
      // Any other key, and the same key at another place, alone.
      const last = keys.subarray(16 * (n - 1));
      expect(evaluateOprf(key, last)).toEqual(outputs.subarray(16 * (n - 1)));
      const others = rowsOf(evaluateOprf(key, keysOf(n, n + 1)), 16);
      expect(new Set([...rowsOf(outputs, 16), ...others]).size).toBe(2 * n);
    }
  });

  it('gives outputs that look random, and other ones in another session or under another key', async () => {
    const keys = keysOf(4096);
    const { outputs, key } = await run(keys);
    expect(uniformity(outputs)).toBeGreaterThan(1e-6);
    expect(uniformity(evaluateOprf(key, keysOf(4096, 5)))).toBeGreaterThan(1e-6);
    const other = await run(keys, { source: 2 });
    expect(new Set([...rowsOf(outputs, 16), ...rowsOf(other.outputs, 16)]).size).toBe(8192);
  });

  it('shows the sender uniform bytes, whatever the keys are', async () => {
    for (const keys of [
      keysOf(4096),
      Uint8Array.from({ length: 16 * 4096 }, (_, at) => (at % 16 < 2 ? at >> (4 + 8 * (at % 16)) : 0)),
    ]) {
      const { seen } = await run(keys);
      expect(seen.length).toBe(16 * okvsSize(4096));
      expect(uniformity(seen)).toBeGreaterThan(1e-6);
      expect(new Set(rowsOf(seen, 16)).size).toBe(okvsSize(4096));
    }
  });

  it('costs one round, and 16 bytes for each row of the store', async () => {
    const n = 2 ** 16;
    const keys = keysOf(n);
    const { bytes, rounds } = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch: Channel) => {
      if (ch.self === 'a') await sendOprf(ch, 'b', idealSender(ch, 'b', 1).vole, n, seed);
      else await recvOprf(ch, 'a', idealReceiver(ch, 'a', 1).vole, keys, seed, seededRng(1));
    });
    expect({ rounds, bytes: bytes.b, voles: okvsSize(n) }).toEqual(oprfCost(n));
    expect(bytes.a).toBe(0);
  });

  it('ends where the store has another length', async () => {
    const [a, b] = channels(['a', 'b']);
    const honest: Promise<OprfKey> = sendOprf(a!, 'b', idealSender(a!, 'b', 1).vole, 100, seed);
    await b!.send('a', 'oprf/store', new Uint8Array(16));
    await expect(honest).rejects.toThrow(code('BAD_MESSAGE'));
  });

  it('refuses a key that stands twice', async () => {
    const keys = keysOf(100);
    keys.copyWithin(16, 0, 16);
    const [, b] = channels(['a', 'b']);
    const receiver = idealReceiver(b!, 'a', 1);
    await expect(recvOprf(b!, 'a', receiver.vole, keys, seed, seededRng(1))).rejects.toThrow('assertion failed');
  });
});
