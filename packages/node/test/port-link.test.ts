import { setImmediate as turn } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { bufferedBytesMax } from '@folkmoot/transport/link.js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PortLink } from '../src/port-link.ts';

describe('a link between threads', () => {
  let a: PortLink;
  let b: PortLink;
  beforeEach(() => {
    const { port1, port2 } = new MessageChannel();
    a = new PortLink(port1);
    b = new PortLink(port2);
  });
  afterEach(() => {
    a.close();
    b.close();
  });

  it('hands over every frame, in order, also those that came before there was a receiver', async () => {
    const got: number[] = [];
    for (let i = 0; i < 3; i++) await a.send(Uint8Array.of(i));
    await turn();
    b.onFrame((frame) => void got.push(frame[0]!));
    await a.send(Uint8Array.of(3));
    await waitFor(() => got.length === 4);
    expect(got).toEqual([0, 1, 2, 3]);
  });

  it('copies a frame that shares its memory, and hands over one that does not', async () => {
    const shared = new Uint8Array(8).fill(7);
    const whole = new Uint8Array(8).fill(9);
    const got: Uint8Array[] = [];
    b.onFrame((frame) => void got.push(frame));
    await a.send(shared.subarray(2, 4));
    await a.send(whole);
    await waitFor(() => got.length === 2);
    expect(got.map((frame) => [...frame])).toEqual([[7, 7], new Array(8).fill(9)]);
    expect(shared.length).toBe(8);
    expect(whole.length).toBe(0);
  });

  it('makes the sender wait for a slow receiver', async () => {
    const frameBytes = 1024 * 1024;
    const release: (() => void)[] = [];
    b.onFrame(() => new Promise<void>((resolve) => release.push(resolve)));
    let sent = 0;
    const sending = (async () => {
      for (let i = 0; i < 8; i++) {
        await a.send(new Uint8Array(frameBytes));
        sent += 1;
      }
    })();
    await waitFor(() => release.length === 5);
    await turn();
    expect(sent).toBe(bufferedBytesMax / frameBytes);
    while (sent < 8) {
      for (const done of release.splice(0)) done();
      await turn();
    }
    await sending;
  });

  it('tells both ends when it ends, and sends nothing afterwards', async () => {
    const ends: string[] = [];
    a.onClose((reason) => ends.push(`a ${reason?.message ?? 'closed'}`));
    b.onClose((reason) => ends.push(`b ${reason?.message ?? 'closed'}`));
    a.close();
    await waitFor(() => ends.length === 2);
    expect(ends).toEqual(['a closed', 'b the connection was lost']);
    const lost = expect.objectContaining({ code: 'LINK_LOST' });
    await expect(a.send(Uint8Array.of(1))).rejects.toThrow(lost);
    await expect(b.send(Uint8Array.of(1))).rejects.toThrow(lost);
    b.onClose((reason) => ends.push(`late ${reason?.message}`));
    expect(ends[2]).toBe('late the connection was lost');
  });

  it('lets go of a sender that waits, when it ends', async () => {
    b.onFrame(() => new Promise<void>(() => undefined));
    const waiting = a.send(new Uint8Array(bufferedBytesMax + 1));
    b.close();
    await expect(waiting).rejects.toThrow(expect.objectContaining({ code: 'LINK_LOST' }));
  });

  it('ends with the error that its receiver throws', async () => {
    const reasons: (Error | undefined)[] = [];
    b.onFrame(() => {
      throw new Error('not taken');
    });
    b.onClose((reason) => reasons.push(reason));
    await a.send(Uint8Array.of(1));
    await waitFor(() => reasons.length === 1);
    expect(reasons[0]?.message).toBe('not taken');
  });
});

async function waitFor(holds: () => boolean): Promise<void> {
  for (let turns = 0; turns < 10_000 && !holds(); turns++) await turn();
  expect(holds()).toBe(true);
}
