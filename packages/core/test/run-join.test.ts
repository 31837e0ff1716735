/**
 * Joins on the whole road of a job, between two sides with rows in memory: what opens is what a loop over all pairs gives.
 */
import { expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { simulate } from '../src/channel/simulate.ts';
import { agree, type Terms } from '../src/engine/agree.ts';
import { report } from '../src/engine/report.ts';
import { type Effects, type Phase, runJob } from '../src/engine/run-job.ts';
import type { Opening } from '../src/protocols/open.ts';
import { type Acceptance, signAcceptance } from '../src/query/acceptance.ts';
import { charterHash, parseCharter } from '../src/query/charter.ts';
import { checkJob, rosterOf } from '../src/query/check-job.ts';
import { jobId, signJob } from '../src/query/envelope.ts';
import type { IdentifierTally } from '../src/query/identifier.ts';
import { publicKeyOf, signer, verify } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import type { Row } from '../src/query/record.ts';
import { sideRecords } from '../src/query/side-records.ts';
import { charterWith, recipientOf, sealed, seedOf } from './consortium.ts';

const nowMs = Date.parse('2026-11-21T09:00:00.000Z');
const analyst = 'housing-analytics';
const charter = sealed(parseCharter(charterWith(['min_group: 5', 'min_group: 1']), 'charter.yaml'));

/** Whole numbers from a seed. */
function chance(seed: number) {
  const next = seededRng(seed);
  return (limit: number) => new DataView(next(4).slice().buffer).getUint32(0) % limit;
}

const tenures = ['owner', 'private', 'social', 'temporary'];
const nhs = (i: number) => String(9_000_000_000 + i);

const residents: readonly Row[] = Array.from({ length: 60 }, (_, i) => {
  const below = chance(1000 + i);
  return {
    person: `c${i}`,
    nhs_number: i % 7 === 0 ? null : `${nhs(i).slice(0, 3)} ${nhs(i).slice(3)}`,
    age: below(100),
    tenure: tenures[below(4)]!,
    arrears: `${below(20_000)}.${10 + below(90)}`,
    income: below(5) === 0 ? null : `${below(90_000)}`,
    employed: below(2) === 1,
    moved_in: '2020-01-01',
  };
});

const patients: readonly Row[] = Array.from({ length: 80 }, (_, i) => {
  const below = chance(2000 + i);
  return {
    nhs_number: nhs(i + 20),
    annual_cost: `${below(100_000)}.${10 + below(90)}`,
    conditions: below(20),
    sex: ['female', 'male'][below(2)]!,
  };
});

/** Who stands on both sides. */
const pairs = residents.flatMap((left) => {
  if (left.nhs_number === null) return [];
  const right = patients.find(({ nhs_number }) => nhs_number === String(left.nhs_number).replace(' ', ''));
  return right === undefined ? [] : [{ left, right }];
});

const jobOf = (rest: string): string => `
folkmoot: 1
purpose: homelessness-prevention
join:
  left:  { party: camden, dataset: residents }
  right: { party: ncl-health, dataset: patients }
  on: nhs_number
${rest}`;

function terms(job: string, minGroup = 1): Terms {
  const envelope = {
    job: parseJob(job, 'job.yaml'),
    analyst,
    recipient: recipientOf(analyst),
    charter: charterHash(charter),
    issued: '2026-11-21T09:00:00.000Z',
    expires: '2026-11-21T10:00:00.000Z',
    nonce: '00'.repeat(16),
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
      ...(isSide ? { set_class: 18 } : {}),
    };
    return signAcceptance(acceptance, signer(seedOf(party)));
  });
  return { signed: signJob(envelope, signer(seedOf(analyst))), charter, acceptances, nowMs };
}

interface Told {
  readonly phases: Phase[];
  readonly tallies: IdentifierTally[];
  readonly matches: number[];
}

async function ask(job: string, minGroup?: number) {
  const given = terms(job, minGroup);
  const { job: id, attempt, roster } = agree(given).context(1);
  const told = new Map<string, Told>(roster.map((party) => [party, { phases: [], tallies: [], matches: [] }]));
  const effectsOf = (party: string): Effects => {
    const { phases, tallies, matches } = told.get(party)!;
    return {
      localQuery: async () => Promise.reject(new Error('a join has no local query')),
      joinRecords: async (side) => sideRecords(side, party === 'camden' ? residents : patients),
      identifierTally: (tally) => void tallies.push(tally),
      matches: async (rows) => void matches.push(...rows),
      seal: async (message) => message,
      durable: async () => {},
      noiseKey: seededRng(party.length)(32),
      rng: seededRng(300 + party.length),
      signatures: {
        sign: (statement) => signer(seedOf(party))('folkmoot opening v1', statement),
        verify: (by, statement, signature) =>
          verify(publicKeyOf(seedOf(by)), 'folkmoot opening v1', statement, signature),
      },
      release: async () => {},
      report: (phase, done) => void (done === undefined && phases.push(phase)),
    };
  };
  const { outcomes } = await simulate({ parties: roster, seed: 1, context: { job: id, attempt } }, (ch) =>
    runJob(ch, given, effectsOf(ch.self)),
  );
  const openings = [...outcomes.values()].map((outcome): Opening => {
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  });
  const answer = await report(
    given,
    { attempt: 1, openings },
    {
      verify: (by, statement, signature) =>
        verify(publicKeyOf(seedOf(by)), 'folkmoot opening v1', statement, signature),
      open: async (bytes) => bytes,
    },
  );
  return { answer, told };
}

const number = (value: unknown): number => Number(value);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

it('answers over the people on both sides, across the two', async () => {
  const { answer, told } = await ask(
    jobOf(`
measures:
  people: count
  owed: { sum: left.arrears }
  cost: { mean: right.annual_cost }
  together: { covariance: [left.arrears, right.annual_cost] }
`),
  );
  const x = pairs.map(({ left }) => number(left.arrears));
  const y = pairs.map(({ right }) => number(right.annual_cost));
  const n = pairs.length;
  const [mx, my] = [sum(x) / n, sum(y) / n];
  const row = answer.rows[0] as unknown as Readonly<Record<string, { value: number }>>;
  expect(row.people!.value).toBe(n);
  expect(row.owed!.value).toBeCloseTo(sum(x), 6);
  expect(row.cost!.value).toBeCloseTo(my, 6);
  expect(row.together!.value).toBeCloseTo(sum(x.map((each, i) => (each - mx) * (y[i]! - my))) / (n - 1), 2);
  expect(told.get('camden')!.tallies).toEqual([{ seen: 60, empty: 9, malformed: 0, failedCheck: 0 }]);
});
