import { TransportError } from '@folkmoot/core/errors.js';
import { memoryLinks } from '@folkmoot/testkit/memory-link.js';
import { describe, expect, it } from 'vitest';
import type { FrameLink } from '../src/link.ts';
import { keepConnected, pauseMs, pauseMsMax } from '../src/reconnect.ts';

const bytes = (value: number) => (n: number) => new Uint8Array(n).fill(value);
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A world in which time passes when the test says so, and a coordinator that is there or not. */
function world(isUp = true) {
  const timers: { delayMs: number; action: () => void; cancelled: boolean }[] = [];
  const links: FrameLink[] = [];
  const lost: (string | undefined)[] = [];
  const state = { nowMs: 0, isUp, dialled: 0 };
  const connection = keepConnected({
    url: 'ws://127.0.0.1:7700',
    clock: {
      now: () => state.nowMs,
      after(delayMs, action) {
        const timer = { delayMs, action, cancelled: false };
        timers.push(timer);
        return () => {
          timer.cancelled = true;
        };
      },
    },
    randomBytes: bytes(0xff),
    onLink: (link) => links.push(link),
    onLost: (reason) => lost.push((reason as TransportError | undefined)?.code),
    async open() {
      state.dialled++;
      if (!state.isUp) throw new TransportError('UNREACHABLE');
      return memoryLinks()[0];
    },
  });
  const pass = async () => {
    const timer = timers.shift()!;
    if (!timer.cancelled) timer.action();
    await turn();
    return timer.delayMs;
  };
  return { connection, timers, links, lost, state, pass };
}

describe('a kept connection', () => {
  it('comes back after a loss, with pauses that grow while it fails', async () => {
    const { links, lost, state, pass } = world();
    await turn();
    expect(links).toHaveLength(1);
    state.isUp = false;
    links[0]!.close();
    const pauses: number[] = [];
    for (let i = 0; i < 10; i++) pauses.push(await pass());
    expect(pauses).toEqual([249, 499, 999, 1999, 3999, 7999, 15999, 29999, 29999, 29999]);
    expect(lost.slice(0, 3)).toEqual([undefined, 'UNREACHABLE', 'UNREACHABLE']);
    state.isUp = true;
    await pass();
    expect(links).toHaveLength(2);
  });

  it('starts small again after a link that held, and not after one that broke at once', async () => {
    const { links, state, pass, timers } = world();
    await turn();
    links[0]!.close();
    await pass();
    links[1]!.close();
    expect(timers[0]!.delayMs).toBe(499);
    await pass();
    state.nowMs += 10_000;
    links[2]!.close();
    expect(timers[0]!.delayMs).toBe(249);
  });

  it('stops for good, in a pause or with a link', async () => {
    const first = world();
    await turn();
    first.connection.stop();
    expect([first.lost, first.timers]).toEqual([[], []]);
    const second = world(false);
    await turn();
    second.connection.stop();
    await second.pass();
    expect(second.state.dialled).toBe(1);
  });

  it('is refused for a plain URL', () => {
    const options = { clock: { now: () => 0, after: () => () => undefined }, randomBytes: bytes(0) };
    const step = () =>
      keepConnected({ ...options, url: 'ws://example.org', onLink: () => undefined, onLost: () => undefined });
    expect(step).toThrow(/only for loopback/);
  });
});

describe('a pause', () => {
  it('lies between nothing and the most of its step', () => {
    expect(pauseMs(0, bytes(0))).toBe(0);
    expect(pauseMs(3, bytes(0x80))).toBe(Math.floor((2000 * 0x8080) / 0x10000));
    expect(pauseMs(1000, bytes(0xff))).toBeLessThan(pauseMsMax);
  });
});
