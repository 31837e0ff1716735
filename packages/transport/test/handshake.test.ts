import { createPublicKey, randomBytes } from 'node:crypto';
import type { ProtocolError } from '@folkmoot/core/errors.js';
import { describe, expect, it } from 'vitest';
import { type HandshakeOptions, initiate, message1Bytes, message2Bytes, respond, roleOf } from '../src/handshake.ts';
import { privateKeyObject, rawPublicKey } from '../src/key-object.ts';
import { CipherState } from '../src/noise.ts';
import { plainResponder } from './plain-responder.ts';

const camdenKey = privateKeyObject('x25519', randomBytes(32));
const hackneyKey = privateKeyObject('x25519', randomBytes(32));
const context = { job: randomBytes(32), attempt: 1, roster: ['camden', 'hackney', 'islington'] };
const binding = { charterHash: randomBytes(32), context, roles: ['party', 'party', 'party'] };
const camden: HandshakeOptions = {
  self: 'camden',
  peer: 'hackney',
  binding,
  staticKey: camdenKey,
  peerStatic: rawPublicKey(hackneyKey),
};
const hackney: HandshakeOptions = {
  self: 'hackney',
  peer: 'camden',
  binding,
  staticKey: hackneyKey,
  peerStatic: rawPublicKey(camdenKey),
};

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const changed = new Uint8Array(bytes);
  changed[at]! ^= 1;
  return changed;
}

function expectRefusal(step: () => unknown, party: string): void {
  let caught: unknown;
  try {
    step();
  } catch (error) {
    caught = error;
  }
  expect((caught as ProtocolError | undefined)?.code).toBe('BAD_HANDSHAKE');
  expect((caught as ProtocolError).party).toBe(party);
}

describe('the handshake of a pair', () => {
  it('gives both ends keys that fit, and the same exporter', () => {
    const { message1, finish } = initiate(camden);
    const { message2, keys } = respond(hackney, message1);
    const own = finish(message2);
    expect(own.exporter).toEqual(keys.exporter);
    const text = new TextEncoder().encode('hello');
    expect(Buffer.from(keys.receive.decrypt(own.send.encrypt(text))).toString()).toBe('hello');
    expect(Buffer.from(own.receive.decrypt(keys.send.encrypt(text))).toString()).toBe('hello');
  });

  it('is understood by a plain second version of the responder', () => {
    const u32 = (value: number) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(value);
      return bytes;
    };
    const listed = (...parts: Uint8Array[]) => Buffer.concat(parts.flatMap((part) => [u32(part.length), part]));
    const texts = (all: readonly string[]) => listed(...all.map((each) => Buffer.from(each)));
    const { charterHash, roles } = binding;
    const { job, attempt, roster } = context;
    const label = Buffer.from('folkmoot session v1');
    const prologue = listed(label, charterHash, job, u32(attempt), texts(roster), texts(roles));

    const { message1, finish } = initiate(camden);
    const peerStatic = createPublicKey(camdenKey);
    const plain = plainResponder({ prologue, ownStatic: hackneyKey, peerStatic, message1: Buffer.from(message1) });
    const keys = finish(plain.message2);
    expect(Buffer.from(keys.exporter).equals(plain.exporter)).toBe(true);
    const text = new TextEncoder().encode('hello');
    const sealed = new CipherState(plain.sendKey).encrypt(text);
    expect(Buffer.from(keys.receive.decrypt(sealed)).toString()).toBe('hello');
    const opened = new CipherState(plain.receiveKey).decrypt(keys.send.encrypt(text));
    expect(Buffer.from(opened).toString()).toBe('hello');
  });

  it('has messages of 1,232 and 1,136 bytes', () => {
    const { message1 } = initiate(camden);
    expect([message1.length, respond(hackney, message1).message2.length]).toEqual([1232, 1136]);
    expect([message1Bytes, message2Bytes]).toEqual([1232, 1136]);
  });

  it('gives fresh keys each time', () => {
    const exporters = [1, 2].map(() => Buffer.from(respond(hackney, initiate(camden).message1).keys.exporter));
    expect(exporters[0]!.equals(exporters[1]!)).toBe(false);
  });

  it('makes the party with the smaller id the initiator', () => {
    expect([roleOf('camden', 'hackney'), roleOf('hackney', 'camden')]).toEqual(['initiator', 'responder']);
  });

  const regionsOf1 = { 'the ephemeral key': 0, 'the encapsulation key': 40, 'its end': 1215, 'the tag': 1231 };
  for (const [region, at] of Object.entries(regionsOf1)) {
    it(`refuses message 1 when a bit of ${region} is changed`, () => {
      expectRefusal(() => respond(hackney, flipped(initiate(camden).message1, at)), 'camden');
    });
  }

  const regionsOf2 = { 'the ciphertext': 0, 'its end': 1087, 'the ephemeral key': 1088, 'the tag': 1135 };
  for (const [region, at] of Object.entries(regionsOf2)) {
    it(`refuses message 2 when a bit of ${region} is changed`, () => {
      const { message1, finish } = initiate(camden);
      const { message2 } = respond(hackney, message1);
      expectRefusal(() => finish(flipped(message2, at)), 'hackney');
    });
  }

  it('refuses both messages when every eighth byte of them is changed, one at a time', () => {
    const { message1 } = initiate(camden);
    for (let at = 0; at < message1.length; at += 8) {
      expectRefusal(() => respond(hackney, flipped(message1, at)), 'camden');
    }
    for (let at = 0; at < message2Bytes; at += 8) {
      const first = initiate(camden);
      const { message2 } = respond(hackney, first.message1);
      expectRefusal(() => first.finish(flipped(message2, at)), 'hackney');
    }
  });

  it('refuses messages that are cut, longer or empty', () => {
    const { message1, finish } = initiate(camden);
    const { message2 } = respond(hackney, message1);
    for (const wrong of [new Uint8Array(0), message1.subarray(1), Buffer.concat([message1, Uint8Array.of(0)])]) {
      expectRefusal(() => respond(hackney, wrong), 'camden');
    }
    for (const wrong of [new Uint8Array(0), message2.subarray(1), Buffer.concat([message2, Uint8Array.of(0)])]) {
      expectRefusal(() => finish(wrong), 'hackney');
    }
  });

  it('refuses the second message of another run, and a second try with the right one', () => {
    const first = initiate(camden);
    const { message2 } = respond(hackney, first.message1);
    const second = initiate(camden);
    expectRefusal(() => second.finish(message2), 'hackney');
    expectRefusal(() => second.finish(respond(hackney, second.message1).message2), 'hackney');
  });

  it('refuses its own first message, reflected', () => {
    const { message1, finish } = initiate(camden);
    expectRefusal(() => respond(camden, message1), 'hackney');
    expectRefusal(() => finish(message1), 'hackney');
  });

  const otherBindings = {
    charter: { ...binding, charterHash: randomBytes(32) },
    job: { ...binding, context: { ...context, job: randomBytes(32) } },
    attempt: { ...binding, context: { ...context, attempt: 2 } },
    roster: { ...binding, context: { ...context, roster: ['camden', 'hackney'] } },
    roles: { ...binding, roles: ['party', 'party', 'helper'] },
    'split of the roster': { ...binding, context: { ...context, roster: ['camden', 'hackneyislington'] } },
  };
  for (const [what, other] of Object.entries(otherBindings)) {
    it(`refuses a peer with another ${what}`, () => {
      expectRefusal(() => respond({ ...hackney, binding: other }, initiate(camden).message1), 'camden');
    });
  }

  it('refuses a peer with another static key than the charter lists', () => {
    const stranger = { ...camden, staticKey: privateKeyObject('x25519', randomBytes(32)) };
    expectRefusal(() => respond(hackney, initiate(stranger).message1), 'camden');
  });

  it('refuses a static key of small order', () => {
    expectRefusal(() => initiate({ ...camden, peerStatic: new Uint8Array(32) }), 'hackney');
  });
});
