/**
 * Between the lifecycle and the wire: what a party says as an event, and an effect as what a party is told.
 * @module
 */
import { checkAcceptance, type SignedAcceptance, signedAcceptanceSchema } from '@folkmoot/core/acceptance.js';
import type { PartyId } from '@folkmoot/core/channel.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { conform } from '@folkmoot/core/document.js';
import { ProtocolError, reportOf } from '@folkmoot/core/errors.js';
import { checkRenunciation } from '@folkmoot/core/renunciation.js';
import { bytesOf, type CoordinatorMessage, type NodeMessage } from '@folkmoot/transport/control.js';
import { framePayloadBytesMax } from '@folkmoot/transport/frame.js';
import { type Effect, type Event, recalled } from './lifecycle.ts';
import type { SignedCommitments, StoredJob } from './store.ts';

/** Words between parties about their audit logs. */
export type AuditMessage = Extract<NodeMessage, { type: 'countersigned' | 'held' }>;
/** Login, openings, statements of budgets and what is only passed on are dealt with before. */
export type PartyMessage = Exclude<NodeMessage, { type: 'hello' | 'login' | 'opening' | 'budget' } | AuditMessage>;

/** An acceptance with its head: 32 proofs of a log of 2^20 entries have 45 kB; as a rule it is 3 kB. */
const wordBytesMax = 120_000;
/** What a start takes besides acceptances and heads: its own fields, and for each party a renunciation and its name. */
const besidesBytes = 1_024;

/** The share of each of so many parties in the one message that starts their job. */
export function wordBytesFor(parties: number): number {
  return Math.min(wordBytesMax, Math.floor((framePayloadBytesMax - besidesBytes) / parties) - besidesBytes);
}

/**
 * An acceptance that is not the party's own good word is a failure of that party; so is one that would leave too little
 * room for those of the others of the job's `parties`.
 */
export function eventOf(
  party: PartyId,
  message: Exclude<PartyMessage, { type: 'stale' }>,
  charter: Charter,
  nowMs: number,
  parties: number,
): Event<SignedAcceptance> {
  const { job, attempt } = message;
  if (message.type === 'phase') return { type: 'phase', party, attempt, phase: message.phase };
  if (message.type === 'renounced') return renouncedBy(party, message, charter);
  if (message.type !== 'accepted') return { ...message, party };
  try {
    const acceptance = conform(message.acceptance, signedAcceptanceSchema, { name: 'acceptance' });
    if (acceptance.acceptance.party !== party) throw new ProtocolError('BAD_ACCEPTANCE', { party });
    checkAcceptance(acceptance, charter, { job, charter: charterHash(charter), nowMs });
    const { head } = message;
    const most = wordBytesFor(parties);
    if (bytesOf([acceptance]) > most) throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'it is too large' });
    if (head !== undefined && bytesOf([acceptance, head]) > most) {
      throw new ProtocolError('AUDIT_UNPROVEN', { party, detail: 'its head is too large' });
    }
    return { type: 'accepted', party, attempt, acceptance, ...(head === undefined ? {} : { head }) };
  } catch (error) {
    const bad = error instanceof ProtocolError ? error : new ProtocolError('BAD_ACCEPTANCE', { party });
    return { type: 'failed', party, attempt, report: reportOf(bad) };
  }
}

/** A renunciation that is not the party's own good word is a failure of that party, and there is no other attempt. */
function renouncedBy(
  party: PartyId,
  { job, attempt, renunciation: given, report }: Extract<PartyMessage, { type: 'renounced' }>,
  charter: Charter,
): Event<SignedAcceptance> {
  try {
    const of = { job, attempt, charter, charterHash: charterHash(charter) };
    const renunciation = checkRenunciation(given, party, of);
    return { type: 'renounced', party, attempt, renunciation, ...(report === undefined ? {} : { report }) };
  } catch (error) {
    const bad = error instanceof ProtocolError ? error : new ProtocolError('BAD_RENUNCIATION', { party });
    return { type: 'failed', party, attempt, report: reportOf(bad) };
  }
}

/** `opened` is what the party named by the effect has opened with, where one is. */
export function messageOf(
  { id, signed, epoch }: Pick<StoredJob, 'id' | 'signed' | 'epoch'>,
  state: StoredJob['state'],
  effect: Effect,
  opened?: SignedCommitments,
): CoordinatorMessage {
  const { attempt } = state;
  const of = { job: id, epoch };
  switch (effect.send) {
    case 'invite':
      return { type: 'invite', ...of, attempt, signed };
    case 'start':
      return {
        type: 'start',
        ...of,
        attempt,
        acceptances: state.roster.map((party) => state.acceptances[party]!),
        ...(attempt > 1 ? { renunciations: state.roster.map((party) => state.renounced[party]!) } : {}),
        ...(state.heads === undefined ? {} : { heads: state.heads }),
      };
    case 'again':
      return {
        ...{ type: 'again', ...of, attempt: recalled(state), report: state.setbacks.at(-1)! },
        ...(effect.noneOpened === true ? { noneOpened: true } : {}),
      };
    case 'signed':
      return { type: 'signed', ...of, attempt, ...opened! };
    case 'abort':
      return { type: 'abort', ...of, attempt, report: effect.report };
    case 'cancel':
      return { type: 'cancel', ...of };
    case 'stored':
      return { type: 'stored', ...of, attempt };
  }
}
