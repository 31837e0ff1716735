import { randomBytes } from 'node:crypto';
import { lengthPrefixed, u32, utf8 } from '@folkmoot/core/bytes.js';
import type { FolkmootError } from '@folkmoot/core/errors.js';
import { Aes256Gcm, CipherSuite, HkdfSha256 } from '@hpke/core';
import { XWing } from '@hpke/hybridkem-x-wing';
import { describe, expect, it } from 'vitest';
import { envelopeBytes, open, pieceBytes, recipientKey, recipientKeyBytes, seal } from '../src/envelope.ts';

const seed = randomBytes(32);
const info = { job: randomBytes(32), attempt: 1, sender: 'camden', recipient: 'housing-analytics' };
const message = new TextEncoder().encode('a share of an answer');

async function codeOf(step: Promise<unknown>): Promise<string> {
  return step.then(
    () => 'ok',
    (error: FolkmootError) => `${error.code} ${error.party}`,
  );
}

describe('a sealed envelope', () => {
  it('opens with the recipient’s seed and the same info', async () => {
    const publicKey = await recipientKey(seed);
    expect(publicKey).toHaveLength(2 * recipientKeyBytes);
    const envelope = await seal(publicKey, info, message);
    expect(envelope).toHaveLength(envelopeBytes(message.length));
    expect(Buffer.from(await open(seed, info, envelope)).toString()).toBe('a share of an answer');
    expect(await open(seed, info, await seal(publicKey, info, new Uint8Array(0)))).toHaveLength(0);
  });

  it('seals a view of a larger buffer as that view alone', async () => {
    const view = Buffer.concat([randomBytes(8), message, randomBytes(8)]).subarray(8, 8 + message.length);
    const opened = await open(seed, info, await seal(await recipientKey(seed), info, view));
    expect(Buffer.compare(opened, message)).toBe(0);
  });

  it('holds messages of several pieces, which cannot be cut, exchanged or followed by others', async () => {
    const publicKey = await recipientKey(seed);
    for (const length of [pieceBytes - 1, pieceBytes, pieceBytes + 1, 3 * pieceBytes]) {
      const large = randomBytes(length);
      const envelope = await seal(publicKey, info, large);
      expect(envelope).toHaveLength(envelopeBytes(length));
      expect(Buffer.compare(await open(seed, info, envelope), large)).toBe(0);
    }
    const envelope = await seal(publicKey, info, randomBytes(3 * pieceBytes));
    const sealedPiece = pieceBytes + 16;
    const [key, first, second, third] = [
      envelope.subarray(0, 1120),
      ...[0, 1, 2].map((i) => envelope.subarray(1120 + i * sealedPiece, 1120 + (i + 1) * sealedPiece)),
    ] as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    for (const pieces of [
      [first],
      [first, second],
      [second, first, third],
      [first, third],
      [first, second, third, third],
    ]) {
      expect(await codeOf(open(seed, info, Buffer.concat([key, ...pieces])))).toBe('BAD_ENVELOPE camden');
    }
  });

  it('is one that any implementation of HPKE opens, and opens theirs', async () => {
    const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
    const whole = (bytes: Uint8Array) => new Uint8Array(bytes).buffer;
    const bound = whole(
      lengthPrefixed(utf8('folkmoot answer v1'), info.job, u32(1), utf8('camden'), utf8('housing-analytics')),
    );
    const last = Uint8Array.of(1).buffer;
    const publicKey = await recipientKey(seed);
    const envelope = await seal(publicKey, info, message);
    const { privateKey } = await new XWing().generateKeyPairDerand(new Uint8Array(seed));
    const enc = whole(envelope.subarray(0, 1120));
    const opened = await suite.open(
      { recipientKey: privateKey, enc, info: bound },
      whole(envelope.subarray(1120)),
      last,
    );
    expect(Buffer.from(opened).equals(message)).toBe(true);

    const recipientPublicKey = await suite.kem.deserializePublicKey(whole(Buffer.from(publicKey, 'hex')));
    const theirs = await suite.seal({ recipientPublicKey, info: bound }, whole(message), last);
    const joined = Buffer.concat([Buffer.from(theirs.enc), Buffer.from(theirs.ct)]);
    expect(Buffer.compare(await open(seed, info, joined), message)).toBe(0);
  });

  it('is another one each time', async () => {
    const publicKey = await recipientKey(seed);
    const [a, b] = [await seal(publicKey, info, message), await seal(publicKey, info, message)];
    expect(Buffer.compare(a!, b!)).not.toBe(0);
  });

  it('does not open under another job, attempt, sender or recipient, or with another seed', async () => {
    const envelope = await seal(await recipientKey(seed), info, message);
    const others = [
      { ...info, job: randomBytes(32) },
      { ...info, attempt: 2 },
      { ...info, recipient: 'camden', sender: 'camden' },
    ];
    for (const other of others) expect(await codeOf(open(seed, other, envelope))).toBe('BAD_ENVELOPE camden');
    expect(await codeOf(open(seed, { ...info, sender: 'hackney' }, envelope))).toBe('BAD_ENVELOPE hackney');
    expect(await codeOf(open(randomBytes(32), info, envelope))).toBe('BAD_ENVELOPE camden');
  });

  it('does not open when any region of it is changed, or when it is cut', async () => {
    const envelope = await seal(await recipientKey(seed), info, message);
    for (const at of [0, 500, 1087, 1088, 1119, 1120, envelope.length - 1]) {
      const changed = Uint8Array.from(envelope);
      changed[at]! ^= 1;
      expect(await codeOf(open(seed, info, changed))).toBe('BAD_ENVELOPE camden');
    }
    for (const length of [0, 1119, 1120, envelope.length - 1]) {
      expect(await codeOf(open(seed, info, envelope.subarray(0, length)))).toBe('BAD_ENVELOPE camden');
    }
  });

  it('is not sealed to what is no key', async () => {
    for (const key of ['', 'zz', '00'.repeat(1215), 'ff'.repeat(1216)]) {
      expect(await codeOf(seal(key, info, message))).toBe('BAD_KEY housing-analytics');
    }
  });
});
