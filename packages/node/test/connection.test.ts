import { fromHex } from '@folkmoot/core/bytes.js';
import { charterHash } from '@folkmoot/core/charter.js';
import { TransportError } from '@folkmoot/core/errors.js';
import { signer, verify } from '@folkmoot/core/identity.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import {
  type CoordinatorMessage,
  controlWriter,
  decodeNodeMessage,
  loginLabel,
  loginStatement,
  type NodeMessage,
} from '@folkmoot/transport/control.js';
import {
  coordinatorIndex,
  decodeFrame,
  encodeFrame,
  framePayloadBytesMax,
  frameType,
} from '@folkmoot/transport/frame.js';
import type { FrameLink } from '@folkmoot/transport/link.js';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Connection } from '../src/connection.ts';
import { type Consortium, makeConsortium } from './consortium.ts';

const nonce = '77'.repeat(32);
const job = 'ab'.repeat(32);
const index = 0;

/** A link in the hands of the test. */
class TestLink implements FrameLink {
  readonly sent: Uint8Array[] = [];
  isClosed = false;
  isLost = false;
  #receiver: ((frame: Uint8Array) => void | Promise<void>) | undefined;
  async send(frame: Uint8Array): Promise<void> {
    if (this.isLost) throw new TransportError('LINK_LOST');
    this.sent.push(Uint8Array.from(frame));
  }
  onFrame(receiver: (frame: Uint8Array) => void | Promise<void>): void {
    this.#receiver = receiver;
  }
  onClose(): void {}
  close(): void {
    this.isClosed = true;
  }
  /** As a real link does, it hands on what the receiver throws. */
  bring(frame: Uint8Array): void {
    void this.#receiver?.(frame);
  }
}

describe('the connection of a node', () => {
  let consortium: Consortium;
  let link: TestLink;
  let write: ReturnType<typeof controlWriter>;
  let connection: Connection;
  let heard: (CoordinatorMessage | string)[];
  let timers: (() => void)[];

  beforeAll(async () => {
    consortium = await makeConsortium(3);
  });
  afterAll(() => consortium.dispose());
  beforeEach(() => {
    link = new TestLink();
    write = controlWriter(coordinatorIndex, index);
    heard = [];
    timers = [];
    const clock: Clock = {
      now: () => 0,
      after(_, action) {
        timers.push(action);
        return () => undefined;
      },
    };
    const { charter } = consortium;
    connection = new Connection(link, {
      party: 'camden',
      membership: { charter, charterHash: charterHash(charter) },
      build: 'test',
      instance: '1f'.repeat(16),
      sign: signer(consortium.partyKeys.get('camden')!.secret.identity),
      clock,
      onWelcome: (epoch) => void heard.push(`welcome ${epoch}`),
      onMessage: (message) => void heard.push(message),
      onSession: (frame) => void heard.push(`session ${frame.from}`),
    });
  });

  const say = (message: CoordinatorMessage) => link.bring(write(message));
  const said = (): NodeMessage[] =>
    link.sent
      .map(decodeFrame)
      .filter(({ type }) => type === frameType.control)
      .map(({ payload }) => decodeNodeMessage(payload));
  const logIn = () => {
    say({ type: 'challenge', nonce });
    say({ type: 'welcome', epoch: 4 });
  };
  const session = (to: number) =>
    encodeFrame({ type: frameType.session, session: new Uint8Array(16), from: 2, to, sequence: 0 }, new Uint8Array(1));
  const code = (wanted: string) => expect.objectContaining({ code: wanted });

  it('logs in by signing the nonce, the charter and its role', () => {
    logIn();
    const hash = charterHash(consortium.charter);
    expect(said()[0]).toEqual({
      type: 'hello',
      party: 'camden',
      charter: hash,
      build: 'test',
      version: 2,
      instance: '1f'.repeat(16),
    });
    const { signature } = said()[1] as { signature: string };
    const key = fromHex(consortium.charter.parties.camden!.identity!);
    expect(verify(key, loginLabel, loginStatement(nonce, hash, 'party'), fromHex(signature))).toBe(true);
    expect(verify(key, loginLabel, loginStatement(nonce, hash, 'analyst'), fromHex(signature))).toBe(false);
    expect(heard).toEqual(['welcome 4']);
  });

  it('hears nothing before the welcome', () => {
    expect(() => say({ type: 'cancel', job, epoch: 1 })).toThrow(code('BAD_CONTROL'));
    write = controlWriter(coordinatorIndex, index);
    expect(heard).toEqual([]);
  });

  it('takes no welcome without a challenge', () => {
    expect(() => say({ type: 'welcome', epoch: 1 })).toThrow(code('BAD_CONTROL'));
  });

  it('signs one nonce and no second', () => {
    say({ type: 'challenge', nonce });
    expect(() => say({ type: 'challenge', nonce: '78'.repeat(32) })).toThrow(code('BAD_CONTROL'));
    expect(said().filter(({ type }) => type === 'login').length).toBe(1);
  });

  it('passes on session frames for its party, after the welcome only', () => {
    expect(() => link.bring(session(index))).toThrow(code('WRONG_SESSION'));
    logIn();
    link.bring(session(index));
    expect(heard).toEqual(['welcome 4', 'session 2']);
    expect(() => link.bring(session(1))).toThrow(code('WRONG_SESSION'));
  });

  it('refuses bulk frames, repeated control frames and those for others', () => {
    logIn();
    const bulk = { type: frameType.bulk, session: new Uint8Array(16), from: coordinatorIndex, to: index, sequence: 0 };
    expect(() => link.bring(encodeFrame(bulk, new Uint8Array(1)))).toThrow(code('WRONG_SESSION'));
    const cancel = write({ type: 'cancel', job, epoch: 1 });
    link.bring(cancel);
    expect(() => link.bring(cancel)).toThrow(code('BAD_SEQUENCE'));
    expect(() => link.bring(controlWriter(coordinatorIndex, 1)({ type: 'cancel', job, epoch: 1 }))).toThrow(
      code('WRONG_SESSION'),
    );
    expect(heard.length).toBe(2);
  });

  it('gives up a coordinator that does not finish the login', () => {
    say({ type: 'challenge', nonce });
    for (const fire of timers) fire();
    expect(link.isClosed).toBe(true);
  });

  it('keeps a link whose login is done', () => {
    logIn();
    for (const fire of timers) fire();
    expect(link.isClosed).toBe(false);
  });

  it('sends an opening as an announcement and numbered pieces', async () => {
    logIn();
    link.sent.length = 0;
    const sealed = new Uint8Array(2 * framePayloadBytesMax + 5).map((_, at) => at);
    const opening = { sealed, commitments: { camden: 'cd'.repeat(32) }, signatures: { camden: 'ef'.repeat(64) } };
    await connection.sendOpening(job, 1, opening);
    expect(said()).toMatchObject([{ type: 'opening', job, attempt: 1, sealedBytes: sealed.length }]);
    const pieces = link.sent.map(decodeFrame).filter(({ type }) => type === frameType.bulk);
    expect(pieces.map(({ sequence, payload }) => [sequence, payload.length])).toEqual([
      [0, framePayloadBytesMax],
      [1, framePayloadBytesMax],
      [2, 5],
    ]);
    expect(Buffer.concat(pieces.map(({ payload }) => payload)).equals(sealed)).toBe(true);
  });

  it('sends an opening that is asked for while it is sent once more after that, and never two mixed', async () => {
    logIn();
    link.sent.length = 0;
    const opening = { sealed: new Uint8Array(framePayloadBytesMax + 5), commitments: {}, signatures: {} };
    const first = connection.sendOpening(job, 1, opening);
    await Promise.all([first, connection.sendOpening(job, 1, opening), connection.sendOpening(job, 1, opening)]);
    const frames = link.sent.map(decodeFrame);
    const kinds = frames.map(({ type, sequence }) => (type === frameType.bulk ? sequence : 'opening'));
    expect(kinds).toEqual(['opening', 0, 1, 'opening', 0, 1]);
    await connection.sendOpening(job, 1, opening);
    expect(said().length).toBe(3);
  });

  it('stops sending an opening when the link is lost', async () => {
    logIn();
    link.isLost = true;
    const opening = { sealed: new Uint8Array(9), commitments: {}, signatures: {} };
    await connection.sendOpening(job, 1, opening);
    await expect(connection.sendFrame(new Uint8Array(1))).rejects.toThrow(code('LINK_LOST'));
  });
});
