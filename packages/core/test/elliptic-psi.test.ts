import { ristretto255 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import type { Channel } from '../src/channel/channel.ts';
import { simulate } from '../src/channel/simulate.ts';
import {
  ellipticCost,
  recvCardinality,
  recvEllipticPsi,
  sendCardinality,
  sendEllipticPsi,
} from '../src/protocols/elliptic-psi.ts';
import { idealReceiver, idealSender } from '../src/protocols/ideal-pair.ts';
import { maskBytes } from '../src/protocols/masks.ts';
import { recvPsi, sendPsi } from '../src/protocols/psi.ts';
import { expectIntersection, overlapping } from './set-relations.ts';

type Sent = { readonly label: string; readonly bytes: Buffer };

/** Both ends; what each of them sent; and what a forger puts in place of a message. */
async function run<T>(
  receiver: (ch: Channel) => Promise<T>,
  sender: (ch: Channel) => Promise<void>,
  forge: (label: string, bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes,
) {
  const sent: Record<string, Sent[]> = { a: [], b: [] };
  const simulation = await simulate({ parties: ['a', 'b'], seed: 1 }, async (ch: Channel): Promise<T | undefined> => {
    const watched: Channel = {
      self: ch.self,
      peers: ch.peers,
      context: ch.context,
      recv: (from, label, bytesMax) => ch.recv(from, label, bytesMax),
      fork: (label) => ch.fork(label),
      deriveKey: (owner, holder, label) => ch.deriveKey(owner, holder, label),
      send(to, label, bytes) {
        const own = forge(label, bytes.slice());
        sent[ch.self]!.push({ label, bytes: Buffer.from(own) });
        return ch.send(to, label, own);
      },
    };
    if (ch.self === 'b') return receiver(watched);
    await sender(watched);
    return undefined;
  });
  const outcome = simulation.outcomes.get('b')!;
  return { ...simulation, sent, outcome, value: 'value' in outcome ? outcome.value : undefined };
}

function intersect(receiver: Uint8Array, sender: Uint8Array, chance = 1) {
  const [n1, n2] = [receiver.length / 16, sender.length / 16];
  return run(
    (ch) => recvEllipticPsi(ch, 'a', receiver, n2, seededRng(chance)),
    (ch) => sendEllipticPsi(ch, 'b', sender, n1, seededRng(chance + 1)),
  );
}

function count(receiver: Uint8Array, sender: Uint8Array, chance = 1) {
  const [n1, n2] = [receiver.length / 16, sender.length / 16];
  return run(
    (ch) => recvCardinality(ch, 'a', receiver, n2, seededRng(chance)),
    (ch) => sendCardinality(ch, 'b', sender, n1, seededRng(chance + 1)),
  );
}

describe('private set intersection over ristretto255', () => {
  it('finds what both have, as its fast twin does, and costs what is stated', async () => {
    for (const [n1, n2, common] of [
      [1, 1, 0],
      [1, 1, 1],
      [16, 16, 8],
      [2, 32, 1],
      [32, 2, 2],
    ] as const) {
      const { receiver, sender } = overlapping(n1, n2, common);
      const { value, bytes, rounds } = await intersect(receiver, sender);
      expectIntersection(value!, receiver, sender, common);
      expect({ rounds, bytes: bytes.a! + bytes.b! }).toEqual(ellipticCost({ receiver: n1, sender: n2 }));
      const twin = await run(
        (ch) => recvPsi(ch, 'a', idealReceiver(ch, 'a', 1), receiver, n2, seededRng(3)),
        (ch) => sendPsi(ch, 'b', idealSender(ch, 'b', 1), sender, n1, seededRng(4)),
      );
      expect(value).toEqual(twin.value);
    }
  });

  it('draws fresh keys: no message of one session is that of another', async () => {
    const { receiver, sender } = overlapping(8, 8, 4);
    const seen = new Set<string>();
    for (const chance of [1, 3]) {
      const { sent } = await intersect(receiver, sender, chance);
      for (const { label, bytes } of [...sent.a!, ...sent.b!]) {
        const size = label === 'psi/masks' ? maskBytes(8, 8) : 32;
        for (let i = 0; i < 8; i++) seen.add(bytes.toString('hex', i * size, (i + 1) * size));
      }
    }
    expect(seen.size).toBe(2 * 3 * 8);
  });

  it('tells the number alone where that is asked for', async () => {
    for (const [n1, n2, common] of [
      [1, 1, 0],
      [8, 8, 8],
      [12, 20, 5],
    ] as const) {
      const { receiver, sender } = overlapping(n1, n2, common);
      const { value, bytes, rounds } = await count(receiver, sender);
      expect(value).toBe(common);
      expect({ rounds, bytes: bytes.a! + bytes.b! }).toEqual(ellipticCost({ receiver: n1, sender: n2 }));
    }
  });

  it('gives the receiver’s elements back in an order of chance where it learns the number alone', async () => {
    // With the same keys, what comes back is the same but for the order; with the order of `intersect`, it would be equal.
    const { receiver, sender } = overlapping(16, 16, 4);
    const returned = (sent: Record<string, Sent[]>) => {
      const { bytes } = sent.a!.find(({ label }) => label === 'psi/returned')!;
      return Array.from({ length: 16 }, (_, i) => bytes.toString('hex', 32 * i, 32 * i + 32));
    };
    const inOrder = returned((await intersect(receiver, sender)).sent);
    const mixed = returned((await count(receiver, sender)).sent);
    expect([...mixed].sort()).toEqual([...inOrder].sort());
    expect(mixed.filter((each, i) => each === inOrder[i]).length).toBeLessThan(6);
  });

  it('refuses what is no element, the identity, what repeats, and another length, naming the peer', async () => {
    const { receiver, sender } = overlapping(4, 4, 2);
    const size = maskBytes(4, 4);
    const put = (at: number, element: Uint8Array) => (bytes: Uint8Array) => {
      bytes.set(element, at);
      return bytes;
    };
    const repeated = (width: number) => (bytes: Uint8Array) => bytes.copyWithin(width, 0, width);
    const forgeries: [label: string, (bytes: Uint8Array) => Uint8Array][] = [
      ['psi/blinded', put(32, new Uint8Array(32).fill(255))],
      ['psi/blinded', put(32, ristretto255.Point.ZERO.toBytes())],
      ['psi/blinded', repeated(32)],
      ['psi/blinded', (bytes) => bytes.subarray(1)],
      ['psi/returned', put(0, new Uint8Array(32).fill(255))],
      ['psi/returned', repeated(32)],
      ['psi/returned', (bytes) => bytes.subarray(32)],
      ['psi/masks', repeated(size)],
      ['psi/masks', (bytes) => bytes.subarray(1)],
    ];
    for (const [label, forge] of forgeries) {
      const { outcomes } = await run(
        (ch) => recvEllipticPsi(ch, 'a', receiver, 4, seededRng(1)),
        (ch) => sendEllipticPsi(ch, 'b', sender, 4, seededRng(2)),
        (each, bytes) => (each === label ? forge(bytes) : bytes),
      );
      const [victim, forger] = label === 'psi/blinded' ? ['a', 'b'] : ['b', 'a'];
      expect(outcomes.get(victim!)).toMatchObject({ error: { code: 'BAD_MESSAGE', party: forger } });
    }
  });

  it('takes sets of one element and more, up to its limit', async () => {
    const { receiver } = overlapping(1, 1, 0);
    for (const [mine, peerCount] of [
      [new Uint8Array(0), 1],
      [receiver.subarray(1), 1],
      [receiver, 0],
      [receiver, 2 ** 12 + 1],
    ] as const) {
      const { outcomes } = await run(
        (ch) => recvEllipticPsi(ch, 'a', mine, peerCount, seededRng(1)),
        (ch) => sendEllipticPsi(ch, 'b', mine, peerCount, seededRng(1)),
      );
      for (const each of outcomes.values()) {
        expect(String((each as { error: unknown }).error)).toContain('assertion failed');
      }
    }
  });
});
