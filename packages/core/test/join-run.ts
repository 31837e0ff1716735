/**
 * Joins of two parties on the simulated network, with rows in memory: documents, records drawn from a seed, the effects of
 * a party, what goes over the wire, and the answer of a loop over all pairs.
 * @module
 */
import { plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import { evaluateJoin } from '@folkmoot/testkit/plain-join.js';
import { seededRng } from '../src/algebra/prg.ts';
import { SessionChannel } from '../src/channel/session.ts';
import { type Faults, type Outcome, simulate } from '../src/channel/simulate.ts';
import { type Agreement, agree, type Terms } from '../src/engine/agree.ts';
import { report } from '../src/engine/report.ts';
import { type Effects, type Phase, runJob } from '../src/engine/run-job.ts';
import type { Opening } from '../src/protocols/open.ts';
import { type Acceptance, signAcceptance } from '../src/query/acceptance.ts';
import type { Answer } from '../src/query/answer.ts';
import { type Charter, charterHash, parseCharter } from '../src/query/charter.ts';
import { checkJob, rosterOf } from '../src/query/check-job.ts';
import { jobId, signJob } from '../src/query/envelope.ts';
import type { IdentifierTally } from '../src/query/identifier.ts';
import { publicKeyOf, signer, verify } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import type { SideName } from '../src/query/join-query.ts';
import type { Row } from '../src/query/record.ts';
import { setClassFor } from '../src/query/set-class.ts';
import { sideRecords } from '../src/query/side-records.ts';
import { charterWith, recipientOf, sealed, seedOf } from './consortium.ts';

const nowMs = Date.parse('2026-11-21T09:00:00.000Z');
const analyst = 'housing-analytics';
/** The left and the right side of every job here. */
export const sides = ['camden', 'ncl-health'] as const;

export type Sides = Readonly<Record<SideName, readonly Row[]>>;

/** The charter that lets one person be counted, with lines changed. */
export function charterFor(...changes: readonly (readonly [string, string])[]): Charter {
  return sealed(parseCharter(charterWith(['min_group: 5', 'min_group: 1'], ...changes), 'charter.yaml'));
}

/** A row for each person at either side. */
const single = charterFor();
/** Up to two rows of a person at the left, up to three at the right; noise can be made for it. */
export const several = charterFor(
  ['nhs_number: { type: identifier, ', 'nhs_number: { type: identifier, max_rows_per_key: 2, '],
  ['unit: nhs_number\n    max_rows_per_unit: 1', 'unit: nhs_number\n    max_rows_per_unit: 3'],
);

/** A job over both sides, of these lines. */
export const jobOf = (lines: string): string => `
folkmoot: 1
purpose: homelessness-prevention
join:
  left:  { party: camden, dataset: residents }
  right: { party: ncl-health, dataset: patients }
  on: nhs_number
${lines}
`;

const tenures = ['owner', 'private', 'social', 'temporary'];
export const nhs = (person: number): string => String(9_000_000_000 + person);

/** Whole numbers below a limit, from a seed. */
function chance(seed: number): (limit: number) => number {
  const next = seededRng(seed);
  return (limit) => new DataView(next(4).slice().buffer).getUint32(0) % limit;
}

/** A council's row about a person; some of its values are null. */
export function resident(person: number, seed: number, values: Row = {}): Row {
  const below = chance(1_000_003 * seed + person);
  return {
    person: `c${seed}/${person}`,
    nhs_number: nhs(person),
    age: below(100),
    tenure: tenures[below(4)]!,
    arrears: below(6) === 0 ? null : `${below(20_000)}.${10 + below(90)}`,
    income: below(5) === 0 ? null : `${below(90_000)}.${10 + below(90)}`,
    employed: below(2) === 1,
    moved_in: `20${10 + below(15)}-03-0${1 + below(9)}`,
    ...values,
  };
}

/** A row about a person of the health service. */
export function patient(person: number, seed: number, values: Row = {}): Row {
  const below = chance(2_000_003 * seed + person);
  return {
    nhs_number: nhs(person),
    annual_cost: `${below(100_000)}.${10 + below(90)}`,
    conditions: below(20),
    sex: ['female', 'male'][below(2)]!,
    ...values,
  };
}

/** The people with these numbers, from the first to the one before the last. */
export const people = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

/** Sixty residents and eighty patients of whom both sides have forty. */
export const town: Sides = {
  left: people(0, 60).map((person) => resident(person, 1)),
  right: people(20, 100).map((person) => patient(person, 1)),
};

export interface JoinRun {
  readonly job: string;
  readonly rows?: Sides;
  readonly charter?: Charter;
  readonly minGroup?: number;
  readonly round?: number;
  /** Of the network. */
  readonly seed?: number;
  readonly faults?: Faults;
  readonly attempt?: number;
  /** Hexadecimal digits, so that the same question is another job. */
  readonly nonce?: string;
  /** The size class of a set, where it is not that of its rows. */
  readonly setClass?: number;
  /** What a party sends in the place of its n-th record of all, from 0: a peer that keeps to no protocol. */
  change?(sent: Sent, n: number): Uint8Array;
}

function termsOf({ job, rows = town, charter = single, minGroup = 1, round, nonce, setClass }: JoinRun): Terms {
  const envelope = {
    job: parseJob(job, 'job.yaml'),
    analyst,
    recipient: recipientOf(analyst),
    charter: charterHash(charter),
    issued: '2026-11-21T09:00:00.000Z',
    expires: '2026-11-21T10:00:00.000Z',
    nonce: nonce ?? '00'.repeat(16),
  };
  const checked = checkJob(envelope.job, charter);
  const acceptances = rosterOf(checked).map((party) => {
    const isSide = checked.parties.includes(party);
    const reads = isSide && checked.privacy !== null;
    const acceptance: Acceptance = {
      job: jobId(envelope),
      party,
      charter: charterHash(charter),
      policy: '11'.repeat(32),
      fingerprint: '22'.repeat(32),
      build: 'test',
      expires: envelope.expires,
      min_group: minGroup,
      rule: isSide ? 'link' : '',
      period: reads ? '2026-Q4' : null,
      budget: reads ? 'epsilon' : null,
      ...(round === undefined ? {} : { round }),
      ...(isSide ? { set_class: setClass ?? setClassFor(rowsOf(party, rows).length) } : {}),
    };
    return signAcceptance(acceptance, signer(seedOf(party)));
  });
  return { signed: signJob(envelope, signer(seedOf(analyst))), charter, acceptances, nowMs };
}

const rowsOf = (party: string, rows: Sides): readonly Row[] => (party === sides[0] ? rows.left : rows.right);

/** What a party was told for its own sake, and what it let out. */
interface Told {
  readonly phases: Phase[];
  readonly tallies: IdentifierTally[];
  /** Undefined where nothing was said of any. */
  matches: readonly number[] | undefined;
  readonly released: Opening[];
}

export const noiseKeyOf = (party: string): Uint8Array => seedOf(party, 'noise');

const verifyBy = (by: string, statement: Uint8Array, signature: Uint8Array): boolean =>
  verify(publicKeyOf(seedOf(by)), 'folkmoot opening v1', statement, signature);

function effectsOf(party: string, rows: Sides, seed: number, told: Told): Effects {
  return {
    localQuery: async () => Promise.reject(new Error('a join has no local query')),
    joinRecords: async (side) => sideRecords(side, rowsOf(party, rows)),
    identifierTally: (tally) => void told.tallies.push(tally),
    matches: async (found) => {
      told.matches = [...found];
    },
    seal: async (message) => message,
    durable: async () => {},
    noiseKey: noiseKeyOf(party),
    rng: seededRng(300 + 1_000 * seed + party.length),
    signatures: {
      sign: (statement) => signer(seedOf(party))('folkmoot opening v1', statement),
      verify: verifyBy,
    },
    release: async (opening) => void told.released.push(opening),
    report: (phase, done) => void (done === undefined && told.phases.push(phase)),
  };
}

/** Before the message of a record stand its fork, its label and its number. */
export const headerBytes = 24;

/** A record on its way, as its receiver gets it: in the clear. */
interface Sent {
  readonly from: string;
  readonly to: string;
  readonly record: Uint8Array;
}

export interface JoinOutcome {
  readonly given: Terms;
  readonly agreement: Agreement;
  readonly outcomes: ReadonlyMap<string, Outcome<Opening>>;
  readonly told: Readonly<Record<string, Told>>;
  readonly sent: readonly Sent[];
}

/** Runs a join at all its parties, its helper included. */
export async function run(options: JoinRun): Promise<JoinOutcome> {
  const { rows = town, seed = 1, faults, attempt: number = 1 } = options;
  const given = termsOf(options);
  const agreement = agree(given);
  const { job, attempt, roster } = agreement.context(number);
  const told = Object.fromEntries(
    roster.map((party): [string, Told] => [party, { phases: [], tallies: [], matches: undefined, released: [] }]),
  );
  const sent: Sent[] = [];
  const { outcomes } = await simulate(
    {
      parties: roster,
      seed,
      context: { job, attempt },
      ...(faults && { faults }),
      channel: (session) => {
        const write = (to: string, record: Uint8Array): Promise<void> => {
          const each: Sent = { from: session.self, to, record: record.slice() };
          const written = options.change?.(each, sent.length) ?? record;
          sent.push(each);
          return session.write(to, written);
        };
        return new SessionChannel({ ...session, write });
      },
    },
    (ch) => runJob(ch, given, effectsOf(ch.self, rows, seed, told[ch.self]!)),
  );
  return { given, agreement, outcomes, told, sent };
}

/** The openings of all; throws what a party ended with. */
export function openingsOf(outcomes: JoinOutcome['outcomes']): Opening[] {
  return [...outcomes.values()].map((outcome) => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  });
}

export function answerOf({ given, outcomes }: JoinOutcome, attempt = 1): Promise<Answer> {
  const openings = openingsOf(outcomes);
  return report(given, { attempt, openings }, { verify: verifyBy, open: async (bytes) => bytes });
}

export async function ask(options: JoinRun): Promise<JoinOutcome & { readonly answer: Answer }> {
  const outcome = await run(options);
  return { ...outcome, answer: await answerOf(outcome, options.attempt) };
}

/** The answer to an exact job, from all pairs of rows one by one. */
export function plain(options: JoinRun): Answer {
  const { rows = town } = options;
  const { checked, strictness } = agree(termsOf(options));
  return plainAnswer(checked, (query) => evaluateJoin(checked.join!, query, rows), { strictness });
}

/** The pairs of rows whose identifiers are the same, for a reading that shares no code with the program. */
export function pairsOf({ left, right }: Sides): { readonly left: Row; readonly right: Row }[] {
  const keyOf = ({ nhs_number }: Row) => String(nhs_number).replace(/[^0-9]/g, '');
  return left.flatMap((a) =>
    right.filter((b) => keyOf(a) !== '' && keyOf(a) === keyOf(b)).map((b) => ({ left: a, right: b })),
  );
}
