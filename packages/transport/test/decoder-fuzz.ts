import { TransportError } from '@folkmoot/core/errors.js';
import fc from 'fast-check';
import { expect } from 'vitest';
import { decodeCoordinatorMessage, decodeNodeMessage, encodeControl } from '../src/control.ts';
import { decodeFrame, encodeFrame, frameType } from '../src/frame.ts';
import { guard } from '../src/guard.ts';

/** Whole messages of ours, as a start from which chance wanders. */
const job = 'ab'.repeat(32);
const seeds = [
  encodeControl({ type: 'stored', job, attempt: 1 }),
  encodeControl({ type: 'start', job, attempt: 1, acceptances: [{ party: 'camden', nested: [{ a: 1.5 }] }] }),
  encodeControl({ type: 'hello', party: 'camden', charter: job, build: '0.1.0', version: 1 }),
].map((bytes) => new Uint8Array(bytes));

const changes = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 4 });
const mutated = fc.tuple(fc.constantFrom(...seeds), changes, fc.nat(400)).map(([seed, bytes, cut]) => {
  const copy = new Uint8Array(seed);
  for (const [at, value] of bytes) copy[at % copy.length] = value;
  return cut < copy.length / 4 ? copy.subarray(0, copy.length - cut) : copy;
});
/** Heads of every type, with large counts more often than chance would have them. */
const heads = fc.array(fc.constantFrom(0x81, 0x91, 0xa1, 0xc0, 0xc6, 0xd9, 0xdd, 0xdf, 0xff, 0x00, 0x61), {
  maxLength: 60,
});
export const hostileBytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  mutated,
  heads.map((all) => Uint8Array.from(all)),
);

const session = new Uint8Array(16);

/** Every decoder gives a value or a typed error; what passes the guard has no more values than bytes. */
export function expectTypedOrValue(bytes: Uint8Array): void {
  const frame = encodeFrame({ type: frameType.control, session, from: 0, to: 1, sequence: 0 }, bytes);
  const decoders = [
    () => decodeFrame(bytes),
    () => decodeFrame(frame),
    () => guard(bytes),
    () => decodeNodeMessage(bytes),
    () => decodeCoordinatorMessage(bytes),
  ];
  for (const decode of decoders) {
    try {
      decode();
    } catch (error) {
      expect(error).toBeInstanceOf(TransportError);
    }
  }
}
