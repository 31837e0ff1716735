import { describe, expect, it } from 'vitest';
import { toHex, utf8 } from '../src/algebra/bytes.ts';
import type { PartyId } from '../src/channel/channel.ts';
import { ProtocolError, TransportError } from '../src/channel/errors.ts';
import { forksPerPeerMax, queuedBytesMax, SessionChannel } from '../src/channel/session.ts';
import { channels } from './channels.ts';

const code = (name: string, fault: object = {}) => expect.objectContaining({ code: name, ...fault });
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function pair(): [SessionChannel, SessionChannel] {
  const [a, b] = channels(['a', 'b']);
  return [a!, b!];
}

/** A's records to B, held back for the test to deliver. */
function tapped(): { a: SessionChannel; b: SessionChannel; records: Uint8Array[] } {
  const records: Uint8Array[] = [];
  const [a, b] = channels(['a', 'b'], {
    write: (_from: PartyId, _to: PartyId, record: Uint8Array) => records.push(record),
  });
  return { a: a!, b: b!, records };
}

it('hands messages out as plain arrays, of which a slice is a copy, whatever memory a link delivers', async () => {
  const { a, b, records } = tapped();
  await a.send('b', 'x', Uint8Array.of(1, 2, 3));
  b.deliver('a', Buffer.from(records[0]!));
  const bytes = await b.recv('a', 'x', 3);
  expect(bytes.constructor).toBe(Uint8Array);
  bytes.slice().fill(9);
  expect([...bytes]).toEqual([1, 2, 3]);
});

describe('a session channel', () => {
  it('delivers messages in order, whether they are awaited or not', async () => {
    const [a, b] = pair();
    const early = b.recv('a', 'm', 10);
    for (const message of ['one', 'two', 'three']) await a.send('b', 'm', utf8(message));
    expect(text(await early)).toBe('one');
    expect(text(await b.recv('a', 'm', 10))).toBe('two');
    const [third, fourth] = [b.recv('a', 'm', 10), b.recv('a', 'm', 10)];
    await a.send('b', 'm', utf8('four'));
    expect([text(await third), text(await fourth)]).toEqual(['three', 'four']);
  });

  it('keeps forks apart, and one fork does not wait for another', async () => {
    const [a, b] = pair();
    await a.fork('x').send('b', 'm', utf8('in x'));
    await a.send('b', 'm', utf8('in none'));
    await a.fork('y').fork('x').send('b', 'm', utf8('in y/x'));
    expect(text(await b.recv('a', 'm', 10))).toBe('in none');
    expect(text(await b.fork('y').fork('x').recv('a', 'm', 10))).toBe('in y/x');
    expect(text(await b.fork('x').recv('a', 'm', 10))).toBe('in x');
  });

  it('aligns messages for vectors', async () => {
    const [a, b] = pair();
    await a.send('b', 'm', new Uint8Array(16));
    expect((await b.recv('a', 'm', 16)).byteOffset % 8).toBe(0);
  });

  it('refuses a message that is not the one agreed, and ends there', async () => {
    const [a, b] = pair();
    await a.send('b', 'other', utf8('x'));
    await expect(b.recv('a', 'm', 10)).rejects.toThrow(code('UNEXPECTED_MESSAGE', { party: 'a', field: 'm' }));
    await expect(b.recv('a', 'other', 10)).rejects.toThrow(code('UNEXPECTED_MESSAGE'));
    await expect(b.send('a', 'm', utf8('x'))).rejects.toThrow(code('UNEXPECTED_MESSAGE'));
  });

  it('takes a message of the largest size and refuses one byte more', async () => {
    const [a, b] = pair();
    await a.send('b', 'm', new Uint8Array(10));
    expect((await b.recv('a', 'm', 10)).length).toBe(10);
    const late = b.recv('a', 'm', 10);
    await a.send('b', 'm', new Uint8Array(11));
    await expect(late).rejects.toThrow(code('TOO_LARGE', { party: 'a' }));
  });

  for (const [what, order] of [
    ['repeated', [0, 0]],
    ['missing', [1]],
    ['overtaken', [0, 2, 1]],
  ] as const) {
    it(`notices a record that is ${what}`, async () => {
      const { a, b, records } = tapped();
      for (const message of ['one', 'two', 'three']) await a.send('b', 'm', utf8(message));
      for (const index of order) b.deliver('a', records[index]!);
      const received = Promise.all([b.recv('a', 'm', 10), b.recv('a', 'm', 10)]);
      await expect(received).rejects.toThrow(code('TAMPERED', { party: 'a' }));
    });
  }

  it('refuses a record that is too short to be one', async () => {
    for (const length of [0, 23]) {
      const { b } = tapped();
      b.deliver('a', new Uint8Array(length));
      await expect(b.recv('a', 'm', 10)).rejects.toThrow(code('BAD_MESSAGE', { party: 'a' }));
    }
  });

  it('queues up to its limit and no byte more', async () => {
    const { a, b, records } = tapped();
    await a.send('b', 'm', new Uint8Array(queuedBytesMax / 8 - 256));
    await a.send('b', 'm', new Uint8Array(0));
    // The same memory each time, with the next sequence number: what is queued are views.
    const large = records[0]!;
    for (let sequence = 0; sequence < 8; sequence++) {
      large[16] = sequence;
      b.deliver('a', large);
    }
    await b.recv('a', 'm', large.length);
    large[16] = 8;
    b.deliver('a', large);
    await b.recv('a', 'm', large.length);
    large[16] = 9;
    b.deliver('a', large);
    const empty = records[1]!;
    empty[16] = 10;
    b.deliver('a', empty);
    await expect(b.recv('a', 'm', large.length)).rejects.toThrow(code('TOO_LARGE', { party: 'a' }));
  });

  it('lets a peer write to so many forks and no more', async () => {
    const { a, b, records } = tapped();
    await a.send('b', 'm', new Uint8Array(0));
    const inFork = (fork: number) => {
      const record = new Uint8Array(records[0]!);
      new DataView(record.buffer).setUint32(0, fork, true);
      return record;
    };
    for (let fork = 0; fork < forksPerPeerMax; fork++) b.deliver('a', inFork(fork));
    const waiting = b.fork('still open').recv('a', 'm', 10);
    b.deliver('a', inFork(forksPerPeerMax));
    await expect(waiting).rejects.toThrow(code('TOO_LARGE', { party: 'a' }));
  });

  it('fails everywhere when it fails', async () => {
    const [a, b, c] = channels(['a', 'b', 'c']);
    await b!.send('a', 'm', utf8('queued'));
    const waiting = [a!.recv('c', 'm', 10), a!.fork('f').recv('b', 'm', 10)];
    a!.fail(new TransportError('LINK_LOST'));
    for (const each of waiting) await expect(each).rejects.toThrow(code('LINK_LOST'));
    await expect(a!.recv('b', 'm', 10)).rejects.toThrow(code('LINK_LOST'));
    await expect(a!.send('c', 'm', utf8('x'))).rejects.toThrow(code('LINK_LOST'));
    await c!.send('a', 'm', utf8('late'));
    await expect(a!.recv('c', 'm', 10)).rejects.toThrow(code('LINK_LOST'));
    expect(a!.pendingReceives).toBe(0);
  });

  it('still gives what a peer sent before its link failed, and keeps the other links', async () => {
    const [a, b, c] = channels(['a', 'b', 'c']);
    await b!.send('a', 'm', utf8('queued'));
    a!.fail(new ProtocolError('PARTY_FAILED', { party: 'b' }), 'b');
    a!.fail(new ProtocolError('CANCELLED'), 'b');
    await b!.send('a', 'm', utf8('too late'));
    expect(text(await a!.recv('b', 'm', 10))).toBe('queued');
    await expect(a!.recv('b', 'm', 10)).rejects.toThrow(code('PARTY_FAILED', { party: 'b' }));
    await expect(a!.send('b', 'm', utf8('x'))).rejects.toThrow(code('PARTY_FAILED'));
    await c!.send('a', 'm', utf8('still here'));
    expect(text(await a!.recv('c', 'm', 10))).toBe('still here');
  });

  it('counts the receives that wait', async () => {
    const [a, b] = pair();
    const waiting = [b.recv('a', 'm', 1), b.fork('f').recv('a', 'm', 1)];
    expect(b.pendingReceives).toBe(2);
    await a.send('b', 'm', utf8('x'));
    expect(b.pendingReceives).toBe(1);
    b.fail(new ProtocolError('STALLED'));
    expect(b.pendingReceives).toBe(0);
    await expect(Promise.all(waiting)).rejects.toThrow(code('STALLED'));
  });

  it('passes back-pressure on', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const order: string[] = [];
    const context = { job: new Uint8Array(32), attempt: 1, roster: ['a', 'b'] };
    const a = new SessionChannel({ self: 'a', context, secret: () => new Uint8Array(32), write: () => promise });
    const sent = a.send('b', 'm', utf8('x')).then(() => order.push('sent'));
    await Promise.resolve();
    order.push('drained');
    resolve();
    await sent;
    expect(order).toEqual(['drained', 'sent']);
  });

  it('speaks with the other parties of its roster only', async () => {
    const [a] = pair();
    await expect(a.send('a', 'm', utf8('x'))).rejects.toThrow('assertion failed');
    await expect(a.recv('z', 'm', 1)).rejects.toThrow('assertion failed');
    expect(() => a.deriveKey('b', 'z', 'l')).toThrow('assertion failed');
    expect(() => a.deriveKey('a', 'a', 'l')).toThrow('assertion failed');
    expect(() => channels(['a', 'a'])).toThrow('assertion failed');
    expect(() => channels(['a', 'b'], { context: { roster: ['b', 'a'] } })).toThrow('assertion failed');
  });
});

describe('a derived key', () => {
  it('is the same at both ends and for nothing else', () => {
    const keys: string[] = [];
    const take = (all: SessionChannel[], use: (ch: SessionChannel) => Uint8Array) => {
      const [one, other] = [use(all[0]!), use(all[1]!)];
      expect(one).toEqual(other);
      expect(one.length).toBe(16);
      keys.push(toHex(one));
    };
    const all = channels(['a', 'b', 'c']);
    take(all, (ch) => ch.deriveKey('a', 'b', 'x'));
    take(all, (ch) => ch.deriveKey('b', 'a', 'x'));
    take(all, (ch) => ch.deriveKey('a', 'b', 'y'));
    take(all, (ch) => ch.fork('f').deriveKey('a', 'b', 'x'));
    take(all, (ch) => ch.fork('g').fork('f').deriveKey('a', 'b', 'x'));
    take(all.slice(1), (ch) => ch.deriveKey('b', 'c', 'x'));
    take([all[0]!, all[2]!], (ch) => ch.deriveKey('a', 'c', 'x'));
    take(channels(['a', 'b'], { context: { attempt: 2 } }), (ch) => ch.deriveKey('a', 'b', 'x'));
    take(channels(['a', 'b'], { context: { job: new Uint8Array(32).fill(1) } }), (ch) => ch.deriveKey('a', 'b', 'x'));
    take(channels(['a', 'b'], { seed: new Uint8Array([1]) }), (ch) => ch.deriveKey('a', 'b', 'x'));
    expect(new Set(keys).size).toBe(keys.length);
  });

  it('is given once, and a fork is opened once', () => {
    const [a] = pair();
    const fork = a.fork('f');
    fork.deriveKey('a', 'b', 'x');
    expect(() => fork.deriveKey('a', 'b', 'x')).toThrow(code('LABEL_REUSED', { field: 'x' }));
    fork.deriveKey('b', 'a', 'x');
    expect(() => a.fork('f')).toThrow(code('LABEL_REUSED', { field: 'f' }));
    fork.fork('f');
    expect(() => fork.fork('f')).toThrow(code('LABEL_REUSED'));
  });
});
