/**
 * Control messages between a node and the coordinator: MessagePack behind the strict guard, then a schema.
 *
 * Here the outer form is checked. The documents inside (a signed job, an acceptance) keep the form in which they were
 * signed; whoever uses them checks them as such.
 *
 * Rounds    login: hello, challenge, login, welcome; a job: invite, accepted, start, then the sessions of the parties;
 *           audit heads: accepted, start, then countersigned or held, which are passed on;
 *           another attempt: again, halted, signed or again, renounced, start; budgets: budget, budget
 * Security  none of its own. TLS hides it on the way; jobs and acceptances carry signatures; nothing here is secret.
 * @module
 */
import { concat, fromHex, utf8 } from '@folkmoot/core/bytes.js';
import { type ErrorCode, type ErrorReport, errorTable, TransportError } from '@folkmoot/core/errors.js';
import { treeSizeMax } from '@folkmoot/core/merkle-tree.js';
import { Packr } from 'msgpackr';
import { z } from 'zod';
import { encodeFrame, type Frame, framePayloadBytesMax, frameType, sessionIdBytes } from './frame.ts';
import { guard } from './guard.ts';

/** Of control messages, session frames and what they carry: both ends speak the same, or part at the hello. */
export const protocolVersion = 2;
export const loginLabel = 'folkmoot login v1';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const signature = z.string().regex(/^[0-9a-f]{128}$/);
const treeSize = z.int().min(1).max(treeSizeMax);
/** The charter decides which names exist; this only bounds what is read before it is looked up. */
const name = z.string().min(1).max(128);
/** How often a coordinator took the lead of the job, up to the one that speaks. */
const jobEpoch = z.int().min(1).max(Number.MAX_SAFE_INTEGER);
const attempt = z.int().min(1).max(0xffff_ffff);
/** Plain text for people: it may end on a terminal, so control characters do not pass. */
const sentence = z
  .string()
  .max(4000)
  .transform((text) => text.replace(/\p{Cc}/gu, ' '));
const document = z.custom<object>((value) => typeof value === 'object' && value !== null && !Array.isArray(value));

const codes: ReadonlySet<string> = new Set(Object.values(errorTable).flatMap((layer) => Object.keys(layer)));
const report = z.strictObject({
  // A code that this build does not know is still an error of the other side.
  code: z
    .string()
    .max(64)
    .transform((code) => (codes.has(code) ? code : 'INTERNAL') as ErrorCode),
  message: sentence,
  remedy: sentence,
  field: sentence.exactOptional(),
  party: name.exactOptional(),
}) satisfies z.ZodType<ErrorReport, unknown>;

/** Of all parties, under an opening. */
const commitments = z.record(name, hash);
const signatures = z.record(name, signature);

/** The signed job as it travels; `envelope` is for core/query/envelope to parse and check. */
const signed = z.strictObject({ envelope: document, signature });

const fromNode = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    party: name,
    charter: hash,
    build: z.string().max(128),
    version: z.literal(protocolVersion),
    /** Drawn at each start of a process: its own new link takes the place of its old one at once, another one’s does not. */
    instance: z
      .string()
      .regex(/^[0-9a-f]{32}$/)
      .exactOptional(),
    /** A doctor asks whether the login is good, and takes no place. */
    probe: z.literal(true).exactOptional(),
  }),
  z.strictObject({ type: z.literal('login'), signature }),
  /** With the head of the party's audit log, and the proofs that it has grown from what others signed. */
  z.strictObject({
    type: z.literal('accepted'),
    job: hash,
    attempt,
    acceptance: document,
    head: document.exactOptional(),
  }),
  /** The party has judged the job, and a person there has to approve it. */
  z.strictObject({ type: z.literal('awaiting'), job: hash, attempt }),
  z.strictObject({ type: z.literal('denied'), job: hash, attempt, report }),
  z.strictObject({
    type: z.literal('phase'),
    job: hash,
    attempt,
    phase: z.string().regex(/^[a-z][a-z -]{0,39}$/),
    /** The part of the phase that is done; nothing at its beginning, or where it cannot be told. */
    done: z.number().min(0).max(1).exactOptional(),
  }),
  /** The sealed bytes follow in bulk frames. */
  z.strictObject({
    type: z.literal('opening'),
    job: hash,
    attempt,
    sealedBytes: z.int().min(1).max(0xffff_ffff),
    commitments,
    signatures,
  }),
  z.strictObject({ type: z.literal('failed'), job: hash, attempt, report }),
  /** The attempt is over here after the commitment: another party may have opened it. */
  z.strictObject({ type: z.literal('halted'), job: hash, attempt, report: report.exactOptional() }),
  /** Another coordinator has spoken of the job with this epoch: this one's word counts no more. */
  z.strictObject({ type: z.literal('stale'), job: hash, epoch: jobEpoch }),
  /** The attempt is over here, without an opening, and another one may follow; with the reason where it lies here. */
  z.strictObject({
    type: z.literal('renounced'),
    job: hash,
    attempt,
    renunciation: document,
    report: report.exactOptional(),
  }),
  /** What is left of the party's budgets: a signed statement, for the analyst who asked. */
  z.strictObject({ type: z.literal('budget'), request: hash, statement: document }),
  /** The party has signed the head that another one showed; or what that one showed does not follow what it holds. */
  z.strictObject({ type: z.literal('countersigned'), of: name, size: treeSize, signature }),
  z.strictObject({ type: z.literal('held'), of: name, head: document }),
]);

const fromCoordinator = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('challenge'), nonce: hash }),
  z.strictObject({ type: z.literal('welcome'), epoch: z.int().min(0) }),
  z.strictObject({ type: z.literal('invite'), job: hash, epoch: jobEpoch, attempt, signed }),
  /** A later attempt comes with the renunciations of the one before. */
  z.strictObject({
    type: z.literal('start'),
    job: hash,
    epoch: jobEpoch,
    attempt,
    acceptances: z.array(document).max(1024),
    renunciations: z.array(document).max(1024).exactOptional(),
    /** What each party showed of its audit log. */
    heads: z.record(name, document).exactOptional(),
  }),
  /**
   * This attempt has failed and the job is to be tried again: the party is asked for its renunciation. One that has
   * committed gives it once it hears that nobody has opened.
   */
  z.strictObject({
    type: z.literal('again'),
    job: hash,
    epoch: jobEpoch,
    attempt,
    report,
    noneOpened: z.literal(true).exactOptional(),
  }),
  /** What another party has opened with, for one that has halted: it opens too. */
  z.strictObject({ type: z.literal('signed'), job: hash, epoch: jobEpoch, attempt, commitments, signatures }),
  z.strictObject({ type: z.literal('abort'), job: hash, epoch: jobEpoch, attempt, report }),
  z.strictObject({ type: z.literal('cancel'), job: hash, epoch: jobEpoch }),
  /** The opening is durable at the coordinator. */
  z.strictObject({ type: z.literal('stored'), job: hash, epoch: jobEpoch, attempt }),
  /** An analyst's signed question what is left of the party's budgets. */
  z.strictObject({ type: z.literal('budget'), request: document }),
  /** Words of another party about this one's audit log. */
  z.strictObject({ type: z.literal('countersigned'), by: name, size: treeSize, signature }),
  z.strictObject({ type: z.literal('held'), by: name, head: document }),
]);

/** All that versions must have in common, so that each can be told which one it meets. */
const otherHello = z.looseObject({ type: z.literal('hello'), version: z.int().min(1).max(0xffff) });

export type NodeMessage = z.infer<typeof fromNode>;
export type CoordinatorMessage = z.infer<typeof fromCoordinator>;

/** Plain maps and no extensions, so that everything written here passes the guard. */
const packr = new Packr({ useRecords: false, encodeUndefinedAsNil: false, moreTypes: false });

/** @throws TransportError FRAME_TOO_LARGE */
export function encodeControl(message: NodeMessage | CoordinatorMessage): Uint8Array {
  const bytes = packr.pack(message);
  if (bytes.length > framePayloadBytesMax) throw new TransportError('FRAME_TOO_LARGE', { field: message.type });
  return bytes;
}

/** How much of a message these documents take. */
export function bytesOf(documents: readonly object[]): number {
  return documents.reduce((sum, one) => sum + packr.pack(one).length, 0);
}

/** @throws TransportError BAD_CONTROL; OTHER_VERSION for the hello of another version, whatever else stands in it */
export function decodeNodeMessage(payload: Uint8Array): NodeMessage {
  const value = unpack(payload);
  const hello = otherHello.safeParse(value);
  if (hello.success && hello.data.version !== protocolVersion) {
    const detail = `${hello.data.version} there, ${protocolVersion} here`;
    throw new TransportError('OTHER_VERSION', { field: 'version', detail });
  }
  return checked(fromNode, value);
}

/** @throws TransportError BAD_CONTROL */
export function decodeCoordinatorMessage(payload: Uint8Array): CoordinatorMessage {
  return checked(fromCoordinator, unpack(payload));
}

function unpack(payload: Uint8Array): unknown {
  guard(payload);
  return packr.unpack(payload);
}

function checked<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new TransportError('BAD_CONTROL', { field: issue?.path.join('.') || 'type' });
}

/** What a login signs under `loginLabel`: the coordinator's nonce, the charter and the role. */
export function loginStatement(nonce: string, charterHash: string, role: 'party' | 'analyst'): Uint8Array {
  return concat(fromHex(nonce), fromHex(charterHash), utf8(role));
}

const noSession = new Uint8Array(sessionIdBytes);

/**
 * Numbers the control frames of one direction of one link; one that is too large has no number.
 * @throws TransportError FRAME_TOO_LARGE
 */
export function controlWriter(from: number, to: number): (message: NodeMessage | CoordinatorMessage) => Uint8Array {
  let sequence = 0;
  return (message) => {
    const payload = encodeControl(message);
    return encodeFrame({ type: frameType.control, session: noSession, from, to, sequence: sequence++ }, payload);
  };
}

/**
 * Reads the control frames of one direction of one link, each once and in order.
 * @throws TransportError WRONG_SESSION, BAD_SEQUENCE, BAD_CONTROL
 */
export function controlReader<T>(from: number, to: number, decodeMessage: (payload: Uint8Array) => T) {
  let sequence = 0;
  return (frame: Frame): T => {
    const ours = frame.type === frameType.control && frame.from === from && frame.to === to;
    if (!ours || frame.session.some((byte) => byte !== 0)) throw new TransportError('WRONG_SESSION');
    if (frame.sequence !== sequence) throw new TransportError('BAD_SEQUENCE');
    sequence++;
    return decodeMessage(frame.payload);
  };
}
