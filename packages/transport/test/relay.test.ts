import type { TransportError } from '@folkmoot/core/errors.js';
import { memoryLinks } from '@folkmoot/testkit/memory-link.js';
import { describe, expect, it } from 'vitest';
import { encodeFrame, frameType, sessionId } from '../src/frame.ts';
import type { FrameLink } from '../src/link.ts';
import { Relay } from '../src/relay.ts';

const parties = ['camden', 'hackney', 'islington'];
const attempt = { job: new Uint8Array(32).fill(1), attempt: 1, roster: ['camden', 'hackney'] };
const session = sessionId(attempt.job, 1, 'camden', 'hackney');
const header = { type: frameType.session, session, from: 0, to: 1, sequence: 0 };
const frame = encodeFrame(header, Uint8Array.of(1, 2, 3));

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'ok';
  } catch (error) {
    return (error as TransportError).code;
  }
}

/** A link that keeps what is sent, and takes more when the test says so. */
function keeping(): { link: FrameLink; sent: Uint8Array[]; release: () => void } {
  const sent: Uint8Array[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const [link] = memoryLinks();
  link.send = (each) => {
    sent.push(each);
    return promise;
  };
  return { link, sent, release: resolve };
}

describe('the relay', () => {
  it('forwards a frame as it came, without a copy, and waits for its receiver', async () => {
    const relay = new Relay(parties);
    const { link, sent, release } = keeping();
    relay.attach('hackney', link);
    relay.admit(attempt);
    let done = false;
    const forwarding = Promise.resolve(relay.forward('camden', frame)).then(() => {
      done = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(sent[0]).toBe(frame);
    expect(done).toBe(false);
    release();
    await forwarding;
  });

  it('drops what belongs to no running attempt, or whose receiver is gone', async () => {
    const relay = new Relay(parties);
    const { link, sent } = keeping();
    relay.attach('hackney', link);
    await relay.forward('camden', frame);
    relay.admit(attempt);
    relay.retire(attempt);
    await relay.forward('camden', frame);
    relay.admit(attempt);
    relay.detach('hackney', link);
    await relay.forward('camden', frame);
    expect(sent).toEqual([]);
  });

  it('keeps a newer link when the older one ends', () => {
    const relay = new Relay(parties);
    const [older, newer] = [keeping(), keeping()];
    relay.admit(attempt);
    relay.attach('hackney', older.link);
    relay.attach('hackney', newer.link);
    relay.detach('hackney', older.link);
    void relay.forward('camden', frame);
    expect([older.sent.length, newer.sent.length]).toEqual([0, 1]);
  });

  it('does not fail a sender whose receiver is lost on the way', async () => {
    const relay = new Relay(parties);
    const [link] = memoryLinks();
    link.close();
    relay.attach('hackney', link);
    relay.admit(attempt);
    await expect(Promise.resolve(relay.forward('camden', frame))).resolves.toBeUndefined();
  });

  it('refuses frames in another’s name, to a party outside the session, of another type, or of no form', () => {
    const relay = new Relay(parties);
    relay.admit(attempt);
    expect(codeOf(() => relay.forward('hackney', frame))).toBe('WRONG_SESSION');
    const toStranger = encodeFrame({ ...header, to: 2 }, new Uint8Array(0));
    expect(codeOf(() => relay.forward('camden', toStranger))).toBe('WRONG_SESSION');
    const toItself = encodeFrame({ ...header, to: 0 }, new Uint8Array(0));
    expect(codeOf(() => relay.forward('camden', toItself))).toBe('WRONG_SESSION');
    const fromStranger = encodeFrame({ ...header, from: 2 }, new Uint8Array(0));
    expect(codeOf(() => relay.forward('islington', fromStranger))).toBe('WRONG_SESSION');
    const control = encodeFrame({ ...header, type: frameType.control }, new Uint8Array(0));
    expect(codeOf(() => relay.forward('camden', control))).toBe('WRONG_SESSION');
    expect(codeOf(() => relay.forward('camden', frame.subarray(1)))).toBe('BAD_FRAME');
  });
});
