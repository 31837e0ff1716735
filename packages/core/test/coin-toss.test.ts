import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import { toss, tossBytes } from '../src/protocols/coin-toss.ts';
import { channels } from './channels.ts';

const parties = ['a', 'b'];
const other = (ch: Channel) => (ch.self === 'a' ? 'b' : 'a');
const code = (name: string) => expect.objectContaining({ code: name, party: 'a' });

async function tossed(bytes: number, seed: number): Promise<Uint8Array> {
  const [a, b] = channels(parties);
  const [mine, theirs] = await Promise.all([
    toss(a!, 'b', bytes, seededRng(2 * seed)),
    toss(b!, 'a', bytes, seededRng(2 * seed + 1)),
  ]);
  expect(mine).toEqual(theirs);
  expect(mine.length).toBe(bytes);
  return mine;
}

describe('coins that are tossed together', () => {
  it('are the same at both ends, and others with other chance at either', async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 20; seed++) seen.add(String(await tossed(16, seed)));
    expect(seen.size).toBe(20);
    for (const bytes of [1, 32, 64]) await tossed(bytes, 1);
  });

  it('are the sum of what both drew', async () => {
    const drawn = [seededRng(2), seededRng(3)].map((rng) => rng(32) && rng(16));
    expect(await tossed(16, 1)).toEqual(drawn[0]!.map((byte, i) => byte ^ drawn[1]![i]!));
  });

  it('cost two rounds, and the bytes that are named', async () => {
    const { bytes, rounds } = await simulate({ parties, seed: 1 }, (ch) => toss(ch, other(ch), 16, seededRng(1)));
    expect({ bytes, rounds }).toEqual({ bytes: { a: tossBytes(16), b: tossBytes(16) }, rounds: 2 });
    expect(tossBytes(16)).toBe(80);
  });

  it('end where the peer reveals other coins than it committed to, or repeats a commitment', async () => {
    for (const attack of ['changes', 'echoes'] as const) {
      const [a, b] = channels(parties);
      const honest = toss(b!, 'a', 16, seededRng(1));
      const theirs = await a!.recv('b', 'toss/commitment', 32);
      await a!.send('b', 'toss/commitment', attack === 'echoes' ? theirs : new Uint8Array(32));
      const coins = await a!.recv('b', 'toss/coins', 48);
      await a!.send('b', 'toss/coins', coins);
      await expect(honest).rejects.toThrow(code('BAD_COMMITMENT'));
    }
  });

  it('end where a message has another length', async () => {
    const [a, b] = channels(parties);
    const honest = toss(b!, 'a', 16, seededRng(1));
    await a!.send('b', 'toss/commitment', new Uint8Array(31));
    await expect(honest).rejects.toThrow(code('BAD_MESSAGE'));
  });

  it('are of a length that somebody wants', async () => {
    const [a] = channels(parties);
    for (const bytes of [0, 65]) await expect(toss(a!, 'b', bytes, seededRng(1))).rejects.toThrow('assertion failed');
  });
});
