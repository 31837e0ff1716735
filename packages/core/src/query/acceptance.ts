/**
 * An acceptance: one party's signed word that it will compute this job, under this charter, by this rule.
 *
 * Before a share leaves, every party holds the acceptances of all and checks each; so nobody computes among parties
 * that agreed to different things. The fingerprint is an HMAC of the data under a key of the node's own.
 *
 * For a protected job the acceptance also states what the noise depends on and a party alone decides: the period of the
 * reading that it answers from, and the unit that its budget is kept in. An exact job has neither, and what is signed
 * for it leaves them out. The same holds for what a rule asks beyond a threshold: `round` and `dominance` stand in an
 * acceptance only where the rule has them. A side of a join states the size class of its whole dataset, which is all that
 * the other side learns of its size.
 * @module
 */
import { z } from 'zod';
import { fromHex, toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { ProtocolError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import { type CheckedJoin, sideOf } from './checked-join.ts';
import { clockSkewMs } from './envelope.ts';
import { type Sign, verify } from './identity.ts';
import type { SideName } from './join-query.ts';
import { lookUp, memberSchema } from './name.ts';
import { setClassMax, setClassMin } from './set-class.ts';
import { dominanceSchema, roundSchema } from './strictness.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits');

/** A period as its owner declares it. It stands in plans and answers, so it is one word of plain characters. */
export const periodSchema = z
  .string()
  .max(50)
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 'a period has letters, digits and . _ -, such as 2026-Q4');

const acceptanceSchema = z.strictObject({
  job: hash,
  party: memberSchema,
  charter: hash,
  /** The hash of the party's policy, which stays at home. */
  policy: hash,
  fingerprint: hash,
  /** The version of the program. */
  build: z.string().min(1).max(100),
  /** An instant in UTC, after which this word no longer binds. */
  expires: z.iso.datetime(),
  /** The threshold that this party's rule asks for; the largest of all holds. */
  min_group: z.int().min(1),
  /** What the rule has figures rounded to; the largest of all holds. */
  round: roundSchema.optional(),
  /** The rule's own; for each n the smallest share of all holds. */
  dominance: dominanceSchema.optional(),
  /** The name of the rule. */
  rule: z.string().max(200),
  /** The declared period of the data, for a protected job: `2026-Q4`. */
  period: periodSchema.nullable().default(null),
  /** The size class of the party's whole dataset, as a side of a join (set-class.ts). */
  set_class: z.int().min(setClassMin).max(setClassMax).optional(),
  /** What this party's budget for the dataset counts, for a protected job: ε (with its δ), or ρ. */
  budget: z.enum(['epsilon', 'rho']).nullable().default(null),
});

export const signedAcceptanceSchema = z.strictObject({
  acceptance: acceptanceSchema,
  signature: z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits'),
});

export type Acceptance = Readonly<z.infer<typeof acceptanceSchema>>;
export interface SignedAcceptance {
  readonly acceptance: Acceptance;
  readonly signature: string;
}

/** What a dataset's budget counts. */
export type BudgetUnit = NonNullable<Acceptance['budget']>;

/** What is signed: everything that is stated. */
function stated(acceptance: Acceptance): object {
  return Object.fromEntries(Object.entries(acceptance).filter(([, value]) => value !== null && value !== undefined));
}

/** The acceptance with its party's signature. */
export function signAcceptance(acceptance: Acceptance, sign: Sign): SignedAcceptance {
  return { acceptance, signature: toHex(sign('folkmoot acceptance v1', hashJson(stated(acceptance)))) };
}

/** What an acceptance must fit. */
export interface Agreed {
  readonly job: string;
  readonly charter: string;
  readonly nowMs: number;
}

/**
 * One party's acceptance: of this job, under this charter, still binding, and signed by that party.
 * @throws ProtocolError BAD_ACCEPTANCE, naming the party
 */
export function checkAcceptance({ acceptance, signature }: SignedAcceptance, charter: Charter, agreed: Agreed): void {
  const { party } = acceptance;
  const refuse = (detail: string) => new ProtocolError('BAD_ACCEPTANCE', { party, detail });
  const identity = lookUp(charter.parties, party)?.identity;
  if (identity === undefined) throw refuse('the charter has no key of this party');
  if (!verify(fromHex(identity), 'folkmoot acceptance v1', hashJson(stated(acceptance)), fromHex(signature))) {
    throw refuse('the signature does not fit');
  }
  if (acceptance.job !== agreed.job) throw refuse('it is for another job');
  if (acceptance.charter !== agreed.charter) throw refuse('it is under another charter');
  if (Date.parse(acceptance.expires) <= agreed.nowMs - clockSkewMs) throw refuse('it has expired');
}

/**
 * The acceptances of all on a job's roster, its helper too: each once, each good.
 * @throws ProtocolError BAD_ACCEPTANCE, naming the party
 */
export function checkAcceptances(
  signed: readonly SignedAcceptance[],
  roster: readonly string[],
  charter: Charter,
  agreed: Agreed,
): void {
  for (const party of roster) {
    const own = signed.filter(({ acceptance }) => acceptance.party === party);
    if (own.length === 0) throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'it is missing' });
    if (own.length > 1) throw new ProtocolError('BAD_ACCEPTANCE', { party, detail: 'there are two' });
    checkAcceptance(own[0]!, charter, agreed);
  }
  const stranger = signed.find(({ acceptance }) => !roster.includes(acceptance.party));
  if (stranger !== undefined) {
    throw new ProtocolError('BAD_ACCEPTANCE', {
      party: stranger.acceptance.party,
      detail: 'it takes no part in the job',
    });
  }
}

/** The hash of the list, in ascending order of parties: what every party signs at the opening. */
export function acceptancesHash(signed: readonly SignedAcceptance[]): Uint8Array {
  const inOrder = [...signed].sort((a, b) => (a.acceptance.party < b.acceptance.party ? -1 : 1));
  return hashJson(inOrder.map(({ acceptance, signature }) => ({ acceptance: stated(acceptance), signature })));
}

/** One reading of a party's records: its name, and the keyed hash of what was read. */
export interface Reading {
  readonly period: string;
  /** The same for every job that is answered from the reading, and another where the period was read again. */
  readonly fingerprint: string;
}

/** What the parties' acceptances of a protected job say of its noise and its charge. */
export interface Standing {
  readonly readings: Readonly<Record<string, Reading>>;
  readonly units: ReadonlyMap<string, BudgetUnit>;
}

/**
 * The readings and budget units of all who bring records, in ascending order of parties. For an exact job there are none:
 * null. A helper has neither.
 * @throws ProtocolError BAD_ACCEPTANCE, naming a party that states too little or too much for such a job
 */
export function standingOf(
  signed: readonly SignedAcceptance[],
  isProtected: boolean,
  helper: string | null,
): Standing | null {
  const refuse = (party: string, detail: string) => new ProtocolError('BAD_ACCEPTANCE', { party, detail });
  const list = signed.map(({ acceptance }) => acceptance).sort((a, b) => (a.party < b.party ? -1 : 1));
  const readings: Record<string, Reading> = {};
  const units = new Map<string, BudgetUnit>();
  for (const { party, period, fingerprint, budget } of list) {
    if (!isProtected || party === helper) {
      const who = isProtected ? 'a helper' : 'an exact answer';
      if (period !== null || budget !== null) throw refuse(party, `${who} has no period and spends no budget`);
      continue;
    }
    if (period === null) throw refuse(party, 'a protected answer needs the period of the data');
    if (budget === null) throw refuse(party, 'a protected answer needs the unit of the budget');
    readings[party] = { period, fingerprint };
    units.set(party, budget);
  }
  return isProtected ? { readings, units } : null;
}

/**
 * The size classes that the two sides of a join state; null for a pooled job. Nobody else states one.
 * @throws ProtocolError BAD_ACCEPTANCE, naming a party that states too little or too much
 */
export function setClassesOf(
  signed: readonly SignedAcceptance[],
  join: CheckedJoin | null,
): Readonly<Record<SideName, number>> | null {
  const classes = new Map<SideName, number>();
  for (const { acceptance } of signed) {
    const { party, set_class: stated } = acceptance;
    const side = join === null ? undefined : sideOf(join, party);
    if ((side === undefined) !== (stated === undefined)) {
      const detail = side === undefined ? 'it matches no set, and states a size class' : 'a side states its size class';
      throw new ProtocolError('BAD_ACCEPTANCE', { party, detail });
    }
    if (side !== undefined) classes.set(side, stated!);
  }
  return join === null ? null : { left: classes.get('left')!, right: classes.get('right')! };
}
