/**
 * What every channel must do, whatever carries it: the simulator in memory, sockets through the relay, direct sockets.
 * @module
 */
import { toHex, utf8 } from '@folkmoot/core/bytes.js';
import type { Channel, PartyId } from '@folkmoot/core/channel.js';
import { ProtocolError } from '@folkmoot/core/errors.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { describe, expect, it } from 'vitest';

export type Outcomes<T> = ReadonlyMap<PartyId, { readonly value: T } | { readonly error: unknown }>;

/** Runs the program at each party over channels of the kind under test; a program that fails ends its channel. */
export type RunParties = <T>(parties: readonly PartyId[], program: (ch: Channel) => Promise<T>) => Promise<Outcomes<T>>;

const three = ['camden', 'hackney', 'islington'];
const [camden, hackney, islington] = three as [PartyId, PartyId, PartyId];
const largeBytes = 50_000_000;

/** The values of all parties, where all have one. */
async function values<T>(outcomes: Promise<Outcomes<T>>): Promise<Map<PartyId, T>> {
  const all = new Map<PartyId, T>();
  for (const [party, outcome] of await outcomes) {
    if ('error' in outcome) throw outcome.error;
    all.set(party, outcome.value);
  }
  return all;
}

function codesOf(outcomes: Outcomes<unknown>): Record<PartyId, string> {
  const codes: Record<PartyId, string> = {};
  for (const [party, outcome] of outcomes) {
    codes[party] = 'error' in outcome ? String((outcome.error as ProtocolError).code) : 'ok';
  }
  return codes;
}

export function channelContract(name: string, run: RunParties): void {
  describe(`the channel contract over ${name}`, () => {
    it('knows itself, its peers and its context in the same way at each end', async () => {
      const seen = await values(run(three, async (ch) => [ch.self, ch.peers, toHex(ch.context.job)] as const));
      expect(seen.get(hackney)?.slice(0, 2)).toEqual([hackney, [camden, islington]]);
      expect(new Set([...seen.values()].map(([, , job]) => job)).size).toBe(1);
    });

    it('keeps the order of each sender, and what was sent before anyone listened', async () => {
      const got = await values(
        run(three, async (ch) => {
          await Promise.all(
            ch.peers.flatMap((to) =>
              Array.from({ length: 50 }, (_, i) => ch.send(to, 'count', utf8(`${ch.self} ${i}`))),
            ),
          );
          const texts: string[] = [];
          for (const from of ch.peers) {
            for (let i = 0; i < 50; i++) texts.push(new TextDecoder().decode(await ch.recv(from, 'count', 100)));
          }
          return texts;
        }),
      );
      const expected = [camden, islington].flatMap((from) => Array.from({ length: 50 }, (_, i) => `${from} ${i}`));
      expect(got.get(hackney)).toEqual(expected);
    });

    it('keeps forks apart, in whatever order they are read', async () => {
      const got = await values(
        run(three, async (ch) => {
          const [left, right] = [ch.fork('left'), ch.fork('right')];
          const inner = left.fork('right');
          for (const to of ch.peers) {
            await left.send(to, 'x', utf8('left'));
            await inner.send(to, 'x', utf8('inner'));
            await right.send(to, 'x', utf8('right'));
            await ch.send(to, 'x', utf8('trunk'));
          }
          const from = ch.peers[0]!;
          const texts: string[] = [];
          for (const each of [ch, right, inner, left]) {
            texts.push(new TextDecoder().decode(await each.recv(from, 'x', 10)));
          }
          return texts;
        }),
      );
      for (const texts of got.values()) expect(texts).toEqual(['trunk', 'right', 'inner', 'left']);
    });

    it('refuses a fork or a key under a label that was used', async () => {
      const outcomes = await run(three, async (ch) => {
        ch.fork('once');
        ch.deriveKey(ch.self, ch.peers[0]!, 'once');
        expect(() => ch.deriveKey(ch.self, ch.peers[0]!, 'once')).toThrow(ProtocolError);
        ch.fork('once');
      });
      expect(codesOf(outcomes)[camden]).toBe('LABEL_REUSED');
    });

    it('refuses a message under another label', async () => {
      const outcomes = await run([camden, hackney], async (ch) => {
        if (ch.self === camden) await ch.send(hackney, 'one', utf8('x'));
        return ch.recv(ch.peers[0]!, 'another', 10);
      });
      expect(codesOf(outcomes)).toEqual({ camden: 'PARTY_FAILED', hackney: 'UNEXPECTED_MESSAGE' });
    });

    it('refuses a message that is larger than agreed, by one byte', async () => {
      for (const [bytes, code] of [
        [1000, 'ok'],
        [1001, 'TOO_LARGE'],
      ] as const) {
        const outcomes = await run([camden, hackney], async (ch) => {
          if (ch.self === camden) await ch.send(hackney, 'x', new Uint8Array(bytes));
          else await ch.recv(camden, 'x', 1000);
        });
        expect(codesOf(outcomes)[hackney]).toBe(code);
      }
    });

    it('carries empty messages, and lengths around every boundary of pieces and frames', async () => {
      const edges = [0, 1, 65_487, 65_488, 65_511, 65_516, 65_535, 1_048_251, 1_048_256, 1_048_576, 2_096_507];
      const lengths = edges.flatMap((n) => [Math.max(0, n - 1), n, n + 1]);
      const got = await values(
        run([camden, hackney], async (ch) => {
          if (ch.self === camden) {
            for (const n of lengths) await ch.send(hackney, 'x', seededRng(n)(n));
            return true;
          }
          for (const n of lengths) {
            const message = await ch.recv(camden, 'x', n);
            if (Buffer.compare(message, seededRng(n)(n)) !== 0) throw new Error(`the message of ${n} bytes differs`);
          }
          return true;
        }),
      );
      expect([...got.values()]).toEqual([true, true]);
    });

    it('carries 50 MB both ways at once, unchanged', async () => {
      const contents = (party: PartyId) => seededRng(party.length)(largeBytes);
      const got = await values(
        run([camden, hackney], async (ch) => {
          const own = contents(ch.self);
          await Promise.all(ch.peers.map((to) => ch.send(to, 'large', own)));
          const messages = await Promise.all(ch.peers.map((from) => ch.recv(from, 'large', largeBytes)));
          return messages.every((message, i) => Buffer.compare(message, contents(ch.peers[i]!)) === 0);
        }),
      );
      expect([...got.values()]).toEqual([true, true]);
    });

    it('gives the two ends of a pair the same key, and each direction, fork and label another', async () => {
      const labels = ['a', 'b'];
      const got = await values(
        run(three, async (ch) => {
          const keys: [string, string][] = [];
          const fork = ch.fork('fork');
          for (const peer of ch.peers) {
            for (const label of labels) {
              for (const [owner, holder] of [
                [ch.self, peer],
                [peer, ch.self],
              ] as const) {
                keys.push([`${owner} ${holder} ${label}`, toHex(ch.deriveKey(owner, holder, label))]);
                keys.push([`${owner} ${holder} ${label} fork`, toHex(fork.deriveKey(owner, holder, label))]);
              }
            }
          }
          return keys;
        }),
      );
      const keys = new Map<string, string>();
      for (const [where, key] of [...got.values()].flat()) {
        expect(key).toHaveLength(32);
        expect(keys.get(where) ?? key).toBe(key);
        keys.set(where, key);
      }
      // 6 directions, 2 labels, with and without the fork.
      expect(keys.size).toBe(24);
      expect(new Set(keys.values()).size).toBe(24);
    });

    it('ends every pending receive when a party fails, and names a party', async () => {
      const outcomes = await run(three, async (ch) => {
        if (ch.self === camden) throw new ProtocolError('BAD_COMMITMENT', { party: hackney });
        await Promise.all(ch.peers.map((from) => ch.recv(from, 'never', 10)));
      });
      expect(codesOf(outcomes)).toEqual({
        camden: 'BAD_COMMITMENT',
        hackney: 'PARTY_FAILED',
        islington: 'PARTY_FAILED',
      });
      const outcome = outcomes.get(islington)!;
      expect('error' in outcome && (outcome.error as ProtocolError).party).toMatch(/camden|hackney/);
    });

    it('still delivers what a party sent before it finished', async () => {
      const got = await values(
        run([camden, hackney], async (ch) => {
          if (ch.self === camden) {
            await ch.send(hackney, 'last', utf8('words'));
            return 'gone';
          }
          await new Promise((resolve) => setTimeout(resolve, 20));
          return new TextDecoder().decode(await ch.recv(camden, 'last', 10));
        }),
      );
      expect(got.get(hackney)).toBe('words');
    });
  });
}
