import { ProtocolError, TransportError } from '@folkmoot/core/errors.js';
import fc from 'fast-check';
import { expect } from 'vitest';
import { decodeCoordinatorMessage, decodeNodeMessage, encodeControl } from '../src/control.ts';
import { decodeFrame, encodeFrame, frameType } from '../src/frame.ts';
import { guard } from '../src/guard.ts';
import { CipherState } from '../src/noise.ts';
import { Session } from '../src/session.ts';

/** Whole messages of ours, as a start from which chance wanders. */
const job = 'ab'.repeat(32);
const seeds = [
  encodeControl({ type: 'stored', job, epoch: 1, attempt: 1 }),
  encodeControl({ type: 'start', job, epoch: 1, attempt: 1, acceptances: [{ party: 'camden', nested: [{ a: 1.5 }] }] }),
  encodeControl({ type: 'hello', party: 'camden', charter: job, build: '0.1.0', version: 2 }),
].map((bytes) => new Uint8Array(bytes));

const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
const mutated = fc.tuple(fc.constantFrom(...seeds), changes, fc.nat(400)).map(([seed, bytes, cut]) => {
  const copy = new Uint8Array(seed);
  for (const [at, value] of bytes) copy[at % copy.length] = value;
  return cut < copy.length / 4 ? copy.subarray(0, copy.length - cut) : copy;
});
/** Heads of every type, with large counts more often than chance would have them. */
const heads = fc.array(
  fc.constantFrom(0x01, 0x02, 0x03, 0x81, 0x91, 0xa1, 0xc0, 0xc6, 0xd9, 0xdd, 0xdf, 0xff, 0x00, 0x61),
  {
    maxLength: 60,
  },
);
export const hostileBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  mutated,
  heads.map((all) => Uint8Array.from(all)),
);

const session = new Uint8Array(16);
const key = new Uint8Array(32).fill(1);

/** A session that takes this payload as its first frame, under a key that the fuzzer holds too. */
function takeFrame(payload: Uint8Array): void {
  const keys = { send: new CipherState(key), receive: new CipherState(key), exporter: key };
  const receiver = new Session({
    peer: 'camden',
    role: 'responder',
    header: { type: frameType.session, session, from: 1, to: 0 },
    keys,
    write: () => Promise.resolve(),
    onRecord: () => undefined,
    onReady: () => undefined,
    onEnd: () => undefined,
  });
  receiver.receive({ type: frameType.session, session, from: 0, to: 1, sequence: 1, payload });
}

/** The bytes as one message that a hostile peer sealed by the rules. */
function sealed(plaintext: Uint8Array): Uint8Array {
  const message = new CipherState(key).encrypt(plaintext);
  return Buffer.concat([Uint8Array.of(message.length & 0xff, message.length >> 8), message]);
}

/** Every decoder gives a value or a typed error; what passes the guard has no more values than bytes. */
export function expectTypedOrValue(bytes: Uint8Array): void {
  const frame = encodeFrame({ type: frameType.control, session, from: 0, to: 1, sequence: 0 }, bytes);
  const decoders = [
    () => decodeFrame(bytes),
    () => decodeFrame(frame),
    () => guard(bytes),
    () => decodeNodeMessage(bytes),
    () => decodeCoordinatorMessage(bytes),
    () => takeFrame(bytes),
    () => takeFrame(sealed(bytes)),
  ];
  for (const decode of decoders) {
    try {
      decode();
    } catch (error) {
      expect(error instanceof TransportError || error instanceof ProtocolError).toBe(true);
    }
  }
}
