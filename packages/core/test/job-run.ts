/**
 * Jobs of three parties on the simulated network: documents, keys, rows, and the effects of a party and of the analyst.
 * @module
 */
import { expect } from 'vitest';
import { fromHex, toHex } from '../src/algebra/bytes.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { type Faults, type Outcome, simulate } from '../src/channel/simulate.ts';
import { agree, type Terms } from '../src/engine/agree.ts';
import { report } from '../src/engine/report.ts';
import { type Effects, type Phase, runJob } from '../src/engine/run-job.ts';
import type { Opening } from '../src/protocols/open.ts';
import { type BudgetUnit, signAcceptance } from '../src/query/acceptance.ts';
import { type Charter, charterHash, parseCharter, signCharter, withKeys } from '../src/query/charter.ts';
import { jobId, signJob } from '../src/query/envelope.ts';
import { publicKeyOf, signer, verify } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import { evaluate } from '../src/query/local.ts';
import type { Row } from '../src/query/record.ts';

export const parties = ['camden', 'hackney', 'islington'];
export const charterYaml = `
folkmoot: 1
charter: Test
version: 1
parties:
  camden: { name: Camden, owner: A }
  hackney: { name: Hackney, owner: B }
  islington: { name: Islington, owner: C }
analysts:
  ana: { roles: [analyst] }
  insider: { roles: [analyst], party: hackney }
purposes: { prevention: Plan }
datasets:
  residents:
    held_by: [camden, hackney, islington]
    unit: person
    max_rows: 1000
    max_parties_per_unit: 1
    columns:
      person: { type: identifier }
      age: { type: integer, min: 0, max: 110 }
      tenure: { type: category, values: [owner, private, social] }
      arrears: { type: decimal, scale: 2, min: 0, max: 20000 }
      debt: { type: decimal, scale: 4, min: 0, max: 100000000000 }
`;
export const rows: Record<string, Row[]> = {
  camden: [
    { person: 'c1', age: 30, tenure: 'owner', arrears: '1000.01', debt: '99999999999.9999' },
    { person: 'c2', age: 40, tenure: 'private', arrears: '2.50', debt: '1' },
    { person: 'c3', age: 17, tenure: 'private', arrears: '9.99', debt: '1' },
  ],
  hackney: [
    { person: 'h1', age: 50, tenure: 'owner', arrears: '0.10', debt: '0.0001' },
    { person: 'h2', age: 60, tenure: 'private', arrears: '7.77', debt: '1' },
  ],
  islington: [{ person: 'i1', age: 80, tenure: 'private', arrears: '0.01', debt: '3' }],
};
export const jobYaml = `
folkmoot: 1
title: Arrears
purpose: prevention
from: residents
where: { age: { gte: 18 } }
group_by: [tenure]
measures:
  households: count
  total: { sum: arrears }
  spread: { variance: debt }
`;

/** Seeded keys: a party's identity is its place in the list. Static and recipient keys are never used here. */
const seedOf = (member: string) => seededRng([...parties, 'ana', 'insider'].indexOf(member) + 1)(32);
const statics = parties.map((_, index) => toHex(seededRng(100 + index)(32).map((b, i) => (i === 31 ? b & 0x7f : b))));
const recipientOf = (seed: number) => {
  // Any well-formed X-Wing key: coefficients below 3329, then 32 bytes.
  const key = new Uint8Array(1216);
  key.set(seededRng(seed)(32), 1152);
  key.set(
    fromHex(statics[seed % 3]!).map((byte, index) => (index === 0 ? byte ^ seed : byte)),
    1184,
  );
  return toHex(key);
};

export function sealedCharter(text = charterYaml): Charter {
  let charter = parseCharter(text, 'charter.yaml');
  parties.forEach((party, index) => {
    charter = withKeys(charter, party, { identity: toHex(publicKeyOf(seedOf(party))), static: statics[index]! });
  });
  for (const [index, analyst] of ['ana', 'insider'].entries()) {
    const identity = toHex(publicKeyOf(seedOf(analyst)));
    charter = withKeys(charter, analyst, { identity, recipient: recipientOf(index + 4) });
  }
  for (const party of parties) charter = signCharter(charter, party, signer(seedOf(party)));
  return charter;
}

const charter = sealedCharter();
const nowMs = Date.parse('2026-11-21T09:00:00.000Z');

export interface TermsOptions {
  readonly analyst?: string;
  readonly minGroup?: number;
  readonly job?: string;
  readonly charter?: Charter;
  /** By party, for a protected job. */
  readonly periods?: Readonly<Record<string, string>>;
  /** Of the party's reading. */
  readonly fingerprints?: Readonly<Record<string, string>>;
  readonly budget?: BudgetUnit;
  /** Hexadecimal digits, so that the same question is another job. */
  readonly nonce?: string;
}

export function terms(options: TermsOptions = {}): Terms {
  const under = options.charter ?? charter;
  const job = parseJob(options.job ?? jobYaml, 'job.yaml');
  const analyst = options.analyst ?? 'ana';
  const envelope = {
    job,
    analyst,
    recipient: under.analysts[analyst]!.recipient!,
    charter: charterHash(under),
    issued: '2026-11-21T09:00:00.000Z',
    expires: '2026-11-21T10:00:00.000Z',
    nonce: options.nonce ?? '00'.repeat(16),
  };
  const signed = signJob(envelope, signer(seedOf(analyst)));
  const acceptances = (job.parties ?? parties).map((party) =>
    signAcceptance(
      {
        job: jobId(envelope),
        party,
        charter: charterHash(under),
        policy: '11'.repeat(32),
        fingerprint: options.fingerprints?.[party] ?? '22'.repeat(32),
        build: 'test',
        expires: envelope.expires,
        min_group: options.minGroup ?? 1,
        rule: 'statistics',
        period: job.privacy === undefined ? null : (options.periods?.[party] ?? '2026-Q4'),
        budget: job.privacy === undefined ? null : (options.budget ?? 'epsilon'),
      },
      signer(seedOf(party)),
    ),
  );
  return { signed, charter: under, acceptances, nowMs };
}

/** A sealing that hides nothing but shows whose bytes these are. */
const sealed = (party: string, message: Uint8Array) => Uint8Array.of(parties.indexOf(party), ...message);
const verifyBy = (party: string, statement: Uint8Array, signature: Uint8Array) =>
  verify(fromHex(charter.parties[party]!.identity!), 'folkmoot opening v1', statement, signature);

export const analystSide = {
  verify: verifyBy,
  open: async (bytes: Uint8Array, party: string) => {
    expect(bytes[0]).toBe(parties.indexOf(party));
    return bytes.slice(1);
  },
};

export interface Seen {
  readonly phases: Phase[];
  readonly durable: Uint8Array[];
  readonly released: Opening[];
}

/** Every party has its own, for good. */
export const noiseKeyOf = (party: string): Uint8Array => seededRng(200 + parties.indexOf(party))(32);

function effectsOf(party: string, seen: Seen): Effects {
  return {
    localQuery: async (query, dataset, ownParty) => evaluate(query, dataset, rows[party]!, ownParty),
    seal: async (message) => sealed(party, message),
    durable: async (bytes) => void seen.durable.push(bytes),
    noiseKey: noiseKeyOf(party),
    rng: seededRng(300 + parties.indexOf(party)),
    signatures: {
      sign: (statement) => signer(seedOf(party))('folkmoot opening v1', statement),
      verify: verifyBy,
    },
    release: async (opening) => void seen.released.push(opening),
    report: (phase) => void seen.phases.push(phase),
  };
}

export interface RunOptions {
  readonly seed: number;
  readonly faults?: Faults;
  readonly at?: Partial<Record<string, Terms>>;
  readonly attempt?: number;
  readonly effects?: Partial<Effects>;
}

/** Runs the job at all its parties; `at` gives one of them other documents, `effects` other effects. */
export async function run(given: Terms, options: RunOptions) {
  const seen = Object.fromEntries(
    parties.map((party): [string, Seen] => [party, { phases: [], durable: [], released: [] }]),
  );
  const { job, attempt, roster } = agree(given).context(options.attempt ?? 1);
  const simulation = await simulate(
    {
      parties: roster,
      seed: options.seed,
      context: { job, attempt },
      ...(options.faults ? { faults: options.faults } : {}),
    },
    (ch) => runJob(ch, options.at?.[ch.self] ?? given, { ...effectsOf(ch.self, seen[ch.self]!), ...options.effects }),
  );
  return { ...simulation, seen };
}

export const openingsOf = (outcomes: ReadonlyMap<string, Outcome<Opening>>): Opening[] =>
  [...outcomes.values()].flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
export const answerOf = (given: Terms, openings: readonly Opening[]) =>
  report(given, { attempt: 1, openings }, analystSide);
