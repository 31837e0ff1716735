/**
 * What a running node does about audit logs at each job: it shows its own head, looks at those of others before a share
 * leaves, and takes in what others say of its own (audit-exchange.ts).
 * @module
 */
import type { AuditEvent } from '@folkmoot/core/audit-entry.js';
import type { HeadOffer } from '@folkmoot/core/audit-head.js';
import { partiesOf } from '@folkmoot/core/charter.js';
import { checkJob, rosterOf } from '@folkmoot/core/check-job.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { ProtocolError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { CoordinatorMessage, NodeMessage } from '@folkmoot/transport/control.js';
import type { Logger } from 'pino';
import type { Self } from './audit-exchange.ts';
import { failureOf } from './failure.ts';
import type { Store } from './store.ts';

/** Texts that are older than the charter keeps them are looked for as often, and at the start. */
const dropMs = 24 * 3600 * 1000;

/** Entries of refusals in one minute: a coordinator may bring any number of them, and they stay for good. */
const refusedMax = 10;
const minuteMs = 60_000;

type Refused = Extract<AuditEvent, { kind: 'invitation-refused' | 'coordinator-refused' }>;
type Word = Extract<CoordinatorMessage, { type: 'countersigned' | 'held' }>;

export interface AuditDuty {
  /** What goes with the acceptance of a job. @throws StateError AUDIT_BROKEN, STATE_FAILED */
  offer(signed: SignedJob): HeadOffer;
  /**
   * Looks at what all others of a job showed; those that follow are signed, durably, and what is to be sent comes back.
   * @throws ProtocolError AUDIT_UNPROVEN, AUDIT_ROLLED_BACK, AUDIT_FORKED, naming the party; StateError STATE_RESTORED
   */
  check(signed: SignedJob, heads: Readonly<Record<string, unknown>>): NodeMessage[];
  /** What is held of the party whose log does not follow: it signed that itself, and sees by it what it lacks. */
  held(fault: unknown): NodeMessage[];
  hear(word: Word): NodeMessage[];
  /**
   * Before anything is said, opened or charged of a job.
   * @throws StateError STATE_RESTORED while the state is an older copy and its owner has not confirmed it, and of each job
   * that was asked for before that was noticed
   */
  checkWhole(signed: SignedJob): void;
  /** Enters what was refused; of what comes faster than anybody reads, the first of each minute. */
  refused(event: Refused): void;
  /** Drops the texts that are older than the charter keeps them, once a day. */
  tick(): void;
}

export function auditDuty(
  store: Pick<Store, 'audited' | 'heads'>,
  self: Self,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): AuditDuty {
  const { party, charter } = self;
  const peersOf = ({ envelope }: SignedJob) => rosterOf(checkJob(envelope.job, charter)).filter((one) => one !== party);
  const refusals = { sinceMs: Number.NEGATIVE_INFINITY, count: 0 };
  let droppedMs = Number.NEGATIVE_INFINITY;

  const lastOf = (peer: string): NodeMessage[] => {
    const head = store.heads.last(peer);
    return head === undefined ? [] : [{ type: 'held', of: peer, head }];
  };
  const confronted = ({ by, head }: Extract<Word, { type: 'held' }>): NodeMessage[] => {
    const isOld = store.audited((_, nowMs, heads) => heads.confront(head, by, self, nowMs));
    if (!isOld) return [];
    const [lost] = store.heads.lost().slice(-1);
    log.error({ event: 'state-restored', by, size: lost?.head.size }, 'this state is an older copy of itself');
    // What an older copy holds of the others is old as well: they see from where to prove.
    return partiesOf(charter)
      .filter((peer) => peer !== party)
      .flatMap(lastOf);
  };

  return {
    checkWhole: (signed) => store.heads.checkWhole(party, issuedMsOf(signed)),
    refused(event) {
      const nowMs = clock.now();
      if (nowMs >= refusals.sinceMs + minuteMs) Object.assign(refusals, { sinceMs: nowMs, count: 0 });
      if (refusals.count >= refusedMax) return;
      refusals.count++;
      try {
        store.audited((entries, atMs) => entries.enter(event, atMs));
      } catch (error) {
        const { code } = failureOf(error, party).own;
        log.warn({ event: 'audit-refusal-failed', code }, 'a refusal could not be entered in the audit log');
      }
    },
    tick() {
      const days = charter.audit.retention_days;
      if (days === undefined || clock.now() < droppedMs + dropMs) return;
      try {
        store.audited((entries, nowMs) => entries.drop(days, nowMs));
        droppedMs = clock.now();
      } catch (error) {
        const { code } = failureOf(error, party).own;
        log.warn({ event: 'audit-retention-failed', code }, 'old texts of the audit log could not be dropped');
      }
    },
    offer: (signed) => store.audited((_, nowMs, heads) => heads.offer(peersOf(signed), self, nowMs)),
    check(signed, shown) {
      const issuedMs = issuedMsOf(signed);
      store.heads.checkWhole(party, issuedMs);
      const given = new Map(peersOf(signed).map((peer) => [peer, shown[peer]]));
      const said = store.audited((_, nowMs, heads) => heads.witness(given, self, issuedMs, nowMs));
      return said.map((one) => ({ type: 'countersigned', ...one }));
    },
    held: (fault) => (fault instanceof ProtocolError && isOfLogs(fault) ? lastOf(fault.party ?? '') : []),
    hear(word) {
      try {
        if (word.type === 'held') return confronted(word);
        const fits = store.audited((_, __, heads) => heads.take(word.by, word.size, word.signature, charter));
        if (!fits) log.warn({ event: 'countersignature-refused', by: word.by }, 'a countersignature does not fit');
      } catch (error) {
        const { code } = failureOf(error, party).own;
        log.warn({ event: 'audit-word-refused', by: word.by, code }, 'a word about the audit log was refused');
      }
      return [];
    },
  };
}

const issuedMsOf = ({ envelope }: SignedJob): number => Date.parse(envelope.issued);

function isOfLogs({ code }: ProtocolError): boolean {
  return code === 'AUDIT_UNPROVEN' || code === 'AUDIT_ROLLED_BACK' || code === 'AUDIT_FORKED';
}
