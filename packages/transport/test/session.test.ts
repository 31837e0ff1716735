import { randomBytes } from 'node:crypto';
import type { ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import { seededRng } from '@folkmoot/core/prg.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeFrame, encodeFrame, frameBytesMax, frameHeaderBytes, frameType } from '../src/frame.ts';
import { type HandshakeOptions, initiate, respond } from '../src/handshake.ts';
import { privateKeyObject, rawPublicKey } from '../src/key-object.ts';
import { Session } from '../src/session.ts';

const keys = [randomBytes(32), randomBytes(32)].map((seed) => privateKeyObject('x25519', seed));
const binding = {
  charterHash: randomBytes(32),
  context: { job: randomBytes(32), attempt: 1, roster: ['camden', 'hackney'] },
  roles: ['party', 'party'],
};

interface End {
  readonly session: Session;
  /** Frames that left, in order. */
  readonly frames: Uint8Array[];
  readonly records: Uint8Array[];
  readonly events: string[];
}

function end(self: string, peer: string, sessionKeys: ReturnType<typeof respond>['keys']): End {
  const [frames, records, events]: [Uint8Array[], Uint8Array[], string[]] = [[], [], []];
  const session = new Session({
    peer,
    role: self < peer ? 'initiator' : 'responder',
    header: { type: frameType.session, session: new Uint8Array(16), from: 0, to: 1 },
    keys: sessionKeys,
    write: async (frame) => void frames.push(frame),
    onRecord: (record) => records.push(record),
    onReady: () => events.push('ready'),
    onEnd: (error) => events.push(error === undefined ? 'end' : `${error.code} ${error.message}`),
  });
  return { session, frames, records, events };
}

function pair(): { camden: End; hackney: End } {
  const own = (i: number): Pick<HandshakeOptions, 'binding' | 'staticKey' | 'peerStatic'> => ({
    binding,
    staticKey: keys[i]!,
    peerStatic: rawPublicKey(keys[1 - i]!),
  });
  const { message1, finish } = initiate({ self: 'camden', peer: 'hackney', ...own(0) });
  const { message2, keys: atHackney } = respond({ self: 'hackney', peer: 'camden', ...own(1) }, message1);
  return { camden: end('camden', 'hackney', finish(message2)), hackney: end('hackney', 'camden', atHackney) };
}

function deliver(frames: readonly Uint8Array[], to: End): void {
  for (const frame of frames) to.session.receive(decodeFrame(frame));
}

function codeOf(step: () => void): string {
  try {
    step();
    return 'ok';
  } catch (error) {
    const { code, party } = error as ProtocolError | TransportError;
    return `${code} ${party}`;
  }
}

/** A pair, and the frames of two records that camden sent: ready, first, second. */
async function sent(first: Uint8Array, second: Uint8Array) {
  const { camden, hackney } = pair();
  await camden.session.send(first);
  await camden.session.send(second);
  return { camden, hackney, frames: camden.frames };
}

const text = (value: string) => new TextEncoder().encode(value);

describe('a session', () => {
  it('delivers records as they were sent', async () => {
    const { camden, hackney, frames } = await sent(text('one'), new Uint8Array(0));
    deliver(frames, hackney);
    expect(hackney.records.map((record) => Buffer.from(record).toString())).toEqual(['one', '']);
    await hackney.session.send(text('two'));
    deliver(hackney.frames, camden);
    expect(Buffer.from(camden.records[0]!).toString()).toBe('two');
  });

  it('delivers plain bytes, of which a slice is a copy', async () => {
    const { hackney, frames } = await sent(text('one'), new Uint8Array(200_000).fill(7));
    deliver(frames, hackney);
    for (const record of hackney.records) {
      const part = record.slice(0, 2);
      record.fill(0);
      expect(part[0]).not.toBe(0);
    }
  });

  it('keeps the responder silent until the first message of the initiator arrives', async () => {
    const { camden, hackney } = pair();
    const sending = hackney.session.send(text('early'));
    await new Promise((resolve) => setImmediate(resolve));
    expect([hackney.frames.length, hackney.events]).toEqual([0, []]);
    deliver(camden.frames, hackney);
    await sending;
    expect([hackney.frames.length, hackney.events]).toEqual([1, ['ready']]);
  });

  it('fills frames to the last byte, and costs what its specification says', async () => {
    const record = seededRng(1)(3_000_000);
    const { hackney, frames } = await sent(record, text('x'));
    deliver(frames, hackney);
    expect(Buffer.compare(hackney.records[0]!, record)).toBe(0);
    const lengths = frames.map((frame) => frame.length);
    // ready; two full frames and the rest of 46 messages of 65,516 bytes; one byte.
    expect(lengths.slice(0, 3)).toEqual([32 + 18 + 1, frameBytesMax, frameBytesMax]);
    expect(lengths[3]).toBe(3_000_000 + 5 - 32 * 65_516 + 14 * 18 + 32);
    expect(lengths[4]).toBe(32 + 18 + 5 + 1);
  });

  it('never seals two records into one another, whoever sends at once', async () => {
    const { camden, hackney } = pair();
    const records = [2_000_000, 10, 1_500_000, 0].map((n) => seededRng(n)(n));
    await Promise.all(records.map((record) => camden.session.send(record)));
    deliver(camden.frames, hackney);
    expect(hackney.records.map((record) => record.length)).toEqual([2_000_000, 10, 1_500_000, 0]);
    expect(hackney.records.every((record, i) => Buffer.compare(record, records[i]!) === 0)).toBe(true);
  });

  it('refuses a frame with any byte of its payload changed', async () => {
    const { frames } = await sent(text('abc'), text('x'));
    for (let at = frameHeaderBytes; at < frames[1]!.length; at++) {
      const { camden, hackney } = pair();
      await camden.session.send(text('abc'));
      const changed = Uint8Array.from(camden.frames[1]!);
      changed[at]! ^= 0x10;
      deliver(camden.frames.slice(0, 1), hackney);
      // The first two bytes are a length, which is checked before the tag.
      const expected = at < frameHeaderBytes + 2 ? 'BAD_FRAME camden' : 'TAMPERED camden';
      expect(codeOf(() => deliver([changed], hackney))).toBe(expected);
      expect(hackney.records).toEqual([]);
    }
  });

  it('refuses a repeated frame and one that is missing', async () => {
    const { hackney, frames } = await sent(text('one'), text('two'));
    deliver(frames.slice(0, 2), hackney);
    expect(codeOf(() => deliver([frames[1]!], hackney))).toBe('BAD_SEQUENCE camden');
    const other = await sent(text('one'), text('two'));
    deliver(other.frames.slice(0, 1), other.hackney);
    expect(codeOf(() => deliver([other.frames[2]!], other.hackney))).toBe('BAD_SEQUENCE camden');
  });

  it('refuses a repeated or skipped message under a corrected number', async () => {
    const renumbered = (frame: Uint8Array, sequence: number) => {
      const changed = Buffer.from(frame);
      changed.writeUInt32LE(sequence, 24);
      return changed;
    };
    const repeated = await sent(text('one'), text('two'));
    deliver(repeated.frames.slice(0, 2), repeated.hackney);
    expect(codeOf(() => deliver([renumbered(repeated.frames[1]!, 3)], repeated.hackney))).toBe('TAMPERED camden');
    const skipped = await sent(text('one'), text('two'));
    deliver(skipped.frames.slice(0, 1), skipped.hackney);
    expect(codeOf(() => deliver([renumbered(skipped.frames[2]!, 2)], skipped.hackney))).toBe('TAMPERED camden');
  });

  it('refuses messages that are cut, have trailing bytes, or are empty', async () => {
    const header = { type: frameType.session, session: new Uint8Array(16), from: 0, to: 1, sequence: 2 } as const;
    const payloads = async () => {
      const { hackney, frames } = await sent(text('one'), text('two'));
      deliver(frames.slice(0, 1), hackney);
      return { hackney, payload: decodeFrame(frames[1]!).payload };
    };
    const { length } = (await payloads()).payload;
    for (let cut = 0; cut < length; cut++) {
      const { hackney, payload } = await payloads();
      const short = encodeFrame(header, payload.subarray(0, cut));
      expect(codeOf(() => deliver([short], hackney))).toBe('BAD_FRAME camden');
    }
    for (const more of [Uint8Array.of(0), Uint8Array.of(1, 0, 0), new Uint8Array(18)]) {
      const { hackney, payload } = await payloads();
      const long = encodeFrame(header, Buffer.concat([payload, more]));
      expect(codeOf(() => deliver([long], hackney))).toBe('BAD_FRAME camden');
    }
  });

  it('refuses what it sent itself, reflected', async () => {
    const { camden, frames } = await sent(text('one'), text('two'));
    expect(codeOf(() => deliver([frames[0]!], camden))).toBe('TAMPERED hackney');
  });

  it('tells that nothing follows, and refuses what does', async () => {
    const { camden, hackney } = pair();
    await camden.session.end();
    await camden.session.send(text('more'));
    deliver(camden.frames.slice(0, 2), hackney);
    expect(hackney.events).toEqual(['ready', 'end']);
    expect(codeOf(() => deliver(camden.frames.slice(2), hackney))).toBe('BAD_MESSAGE camden');
  });

  it('tells the code with which the other end gave up, when it is one of ours', async () => {
    const { camden, hackney } = pair();
    await camden.session.end({ code: 'BAD_COMMITMENT' });
    deliver(camden.frames, hackney);
    expect(hackney.events[1]).toBe('PARTY_FAILED camden: another party ended the attempt: BAD_COMMITMENT');
    const other = pair();
    await other.camden.session.end({ code: '\u001b[31m' });
    deliver(other.camden.frames, other.hackney);
    expect(other.hackney.events[1]).toBe('PARTY_FAILED camden: another party ended the attempt');
  });

  it('refuses a record announced as larger than any, and one in pieces of its own choice', () => {
    const sealed = (plaintexts: readonly Uint8Array[]) => {
      // Sealed by camden's own keys, but not by its session.
      const { message1, finish } = initiate({
        self: 'camden',
        peer: 'hackney',
        binding,
        staticKey: keys[0]!,
        peerStatic: rawPublicKey(keys[1]!),
      });
      const responder = respond(
        { self: 'hackney', peer: 'camden', binding, staticKey: keys[1]!, peerStatic: rawPublicKey(keys[0]!) },
        message1,
      );
      const { send } = finish(responder.message2);
      const receiver = end('hackney', 'camden', responder.keys);
      const payload = Buffer.concat(
        plaintexts.map((plaintext) => {
          const message = send.encrypt(plaintext);
          return Buffer.concat([Uint8Array.of(message.length & 0xff, message.length >> 8), message]);
        }),
      );
      const header = { type: frameType.session, session: new Uint8Array(16), from: 0, to: 1, sequence: 1 } as const;
      return codeOf(() => deliver([encodeFrame(header, payload)], receiver));
    };
    expect(sealed([Uint8Array.of(0)])).toBe('ok');
    expect(sealed([Uint8Array.of(1, 1, 0, 0, 0, 9)])).toBe('ok');
    expect(sealed([Uint8Array.of(1, 0xff, 0xff, 0xff, 0xff)])).toBe('TOO_LARGE camden');
    expect(sealed([Uint8Array.of(1, 2, 0, 0, 0, 9)])).toBe('BAD_MESSAGE camden');
    expect(sealed([Uint8Array.of(1, 1, 0, 0, 0, 9, 9)])).toBe('BAD_MESSAGE camden');
    for (const plaintext of [[], [9], [0, 0], [1, 0, 0, 0], [2, 2]]) {
      expect(sealed([Uint8Array.from(plaintext)])).toBe('BAD_MESSAGE camden');
    }
  });

  it('gives records or a typed error for any change of its frames', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(2), fc.nat(200), fc.integer({ min: 1, max: 255 }), async (which, where, change) => {
        const { hackney, frames } = await sent(text('one'), text('two'));
        const bytes = Uint8Array.from(frames[which]!);
        bytes[where % bytes.length]! ^= change;
        const arriving = frames.map((frame, i) => (i === which ? bytes : frame));
        expect(codeOf(() => deliver(arriving, hackney))).toMatch(/^(ok|BAD_|TAMPERED|FRAME_)/);
        for (const [i, record] of hackney.records.entries()) {
          expect(Buffer.from(record).toString()).toBe(['one', 'two'][i]);
        }
      }),
      { numRuns: 300 },
    );
  });
});
