import { describe, expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import {
  type Acceptance,
  acceptancesHash,
  checkAcceptances,
  signAcceptance,
  signedAcceptanceSchema,
  standingOf,
} from '../src/query/acceptance.ts';
import { charterHash } from '../src/query/charter.ts';
import { checkSignedJob, type JobEnvelope, jobId, parseSignedJob, signJob } from '../src/query/envelope.ts';
import { signer } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import { arrearsYaml, keyed, recipientOf, sealed, seedOf } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const charter = sealed();
const analyst = 'housing-analytics';
const now = Date.parse('2026-11-21T12:00:00.000Z');
const at = (ms: number) => new Date(now + ms).toISOString();
const minute = 60_000;

const envelope: JobEnvelope = {
  job: parseJob(arrearsYaml, 'job.yaml'),
  analyst,
  recipient: recipientOf(analyst),
  charter: charterHash(charter),
  issued: at(0),
  expires: at(60 * minute),
  nonce: '000102030405060708090a0b0c0d0e0f',
};
const sign = signer(seedOf(analyst));
const checked =
  (changes: Partial<JobEnvelope>, nowMs = now) =>
  () =>
    checkSignedJob(signJob({ ...envelope, ...changes }, sign), charter, nowMs);

describe('a signed job', () => {
  it('is accepted from its analyst, in its time, also after a journey as JSON', () => {
    const signed = signJob(envelope, sign);
    expect(() => checkSignedJob(signed, charter, now)).not.toThrow();
    const again = parseSignedJob(JSON.parse(JSON.stringify(signed)));
    expect(jobId(again.envelope)).toBe(jobId(envelope));
    expect(() => checkSignedJob(again, charter, now)).not.toThrow();
  });

  it('has another id with another anything', () => {
    const ids = [
      envelope,
      { ...envelope, nonce: 'f'.repeat(32) },
      { ...envelope, job: { ...envelope.job, title: 'x' } },
    ].map(jobId);
    expect(new Set(ids).size).toBe(3);
    expect(ids[0]).toMatch(/^[0-9a-f]{64}$/);
  });

  it('keeps its id when keys are reordered on the way', () => {
    const reordered = Object.fromEntries(Object.entries(envelope).toReversed()) as unknown as JobEnvelope;
    expect(jobId(reordered)).toBe(jobId(envelope));
  });

  it('is refused from an analyst whom the charter does not list', () => {
    expect(refusalOf(checked({ analyst: 'stranger' })).code).toBe('UNKNOWN_ANALYST');
    expect(refusalOf(checked({ analyst: 'camden' })).code).toBe('UNKNOWN_ANALYST');
    expect(refusalOf(checked({ analyst: 'constructor' })).code).toBe('UNKNOWN_ANALYST');
  });

  it('is refused from an analyst who is listed without keys', () => {
    const bare = { ...keyed(), analysts: { [analyst]: { roles: ['analyst'] } } };
    expect(refusalOf(() => checkSignedJob(signJob(envelope, sign), bare, now)).code).toBe('UNKNOWN_ANALYST');
  });

  it('is refused with a bad signature, and with anything changed after signing', () => {
    const signed = signJob(envelope, sign);
    const changed = { ...signed, envelope: { ...envelope, job: { ...envelope.job, min_group: 1 } } };
    expect(refusalOf(() => checkSignedJob(changed, charter, now)).code).toBe('BAD_SIGNATURE');
    const other = signJob(envelope, signer(seedOf('camden')));
    expect(refusalOf(() => checkSignedJob(other, charter, now)).code).toBe('BAD_SIGNATURE');
    const zero = { ...signed, signature: '0'.repeat(128) };
    expect(refusalOf(() => checkSignedJob(zero, charter, now)).code).toBe('BAD_SIGNATURE');
  });

  it('is refused when its answer would be sealed to another key', () => {
    expect(refusalOf(checked({ recipient: recipientOf('thief') }))).toMatchObject({
      code: 'BAD_SIGNATURE',
      field: 'recipient',
    });
  });

  it('is refused under another charter', () => {
    expect(refusalOf(checked({ charter: '0'.repeat(64) })).code).toBe('CHARTER_MISMATCH');
  });

  it('is refused after it expired, with two minutes for clocks that differ', () => {
    expect(checked({}, now + 61 * minute)).not.toThrow();
    expect(refusalOf(checked({}, now + 62 * minute)).code).toBe('JOB_EXPIRED');
  });

  it('is refused before it was issued, with two minutes for clocks that differ', () => {
    expect(checked({}, now - 2 * minute)).not.toThrow();
    expect(refusalOf(checked({}, now - 2 * minute - 1)).code).toBe('NOT_YET_VALID');
  });

  it('is refused when it expires before it is issued, or lives too long', () => {
    expect(refusalOf(checked({ expires: at(0) })).code).toBe('JOB_EXPIRED');
    expect(refusalOf(checked({ expires: at(91 * 24 * 60 * minute) })).code).toBe('JOB_EXPIRED');
  });

  it.each([
    ['an unknown key', { colour: 'red' }, 'UNKNOWN_KEY', 'envelope.colour'],
    ['a nonce of another length', { nonce: '00' }, 'BAD_VALUE', 'envelope.nonce'],
    ['an instant that is none', { issued: 'yesterday' }, 'BAD_VALUE', 'envelope.issued'],
    ['a text with half of a character', { job: { ...envelope.job, title: '\ud800' } }, 'BAD_VALUE', 'envelope'],
    ['a job with an unknown key', { job: { ...envelope.job, sort: 1 } }, 'UNKNOWN_KEY', 'envelope.job.sort'],
  ])('is refused in its form with %s', (_, changes, code, field) => {
    const value = { ...signJob(envelope, sign), envelope: { ...envelope, ...changes } };
    expect(refusalOf(() => parseSignedJob(value))).toMatchObject({ code, field });
  });
});

describe('the acceptances of a job', () => {
  const parties = ['camden', 'hackney', 'islington'];
  const agreed = { job: jobId(envelope), charter: envelope.charter, nowMs: now };
  const acceptance = (party: string, changes: Partial<Acceptance> = {}): Acceptance => ({
    job: agreed.job,
    party,
    charter: agreed.charter,
    policy: 'a'.repeat(64),
    fingerprint: 'b'.repeat(64),
    build: '0.1.0',
    expires: at(10 * minute),
    min_group: 5,
    rule: 'prevention statistics',
    period: null,
    budget: null,
    ...changes,
  });
  const signedBy = (party: string, changes: Partial<Acceptance> = {}, by = party) =>
    signAcceptance(acceptance(party, changes), signer(seedOf(by)));
  const all = parties.map((party) => signedBy(party));
  const check = (list: typeof all) => () => checkAcceptances(list, parties, charter, agreed);

  it('are good when every party signed for this job under this charter', () => {
    expect(check(all)).not.toThrow();
    expect(check([...all].reverse())).not.toThrow();
  });

  it('have one hash, in whatever order they came', () => {
    expect(acceptancesHash(all)).toHaveLength(32);
    expect(toHex(acceptancesHash([...all].reverse()))).toBe(toHex(acceptancesHash(all)));
    expect(toHex(acceptancesHash([all[0]!, all[1]!, signedBy('islington', { min_group: 6 })]))).not.toBe(
      toHex(acceptancesHash(all)),
    );
  });

  it('state period and budget of a protected job, and neither of an exact one', () => {
    const given = parties.map((party, index) =>
      signedBy(party, { period: `Q${index}`, budget: index === 1 ? 'rho' : 'epsilon' }),
    );
    expect(check(given)).not.toThrow();
    expect(standingOf([...given].reverse(), true, null)).toEqual({
      readings: {
        camden: { period: 'Q0', fingerprint: 'b'.repeat(64) },
        hackney: { period: 'Q1', fingerprint: 'b'.repeat(64) },
        islington: { period: 'Q2', fingerprint: 'b'.repeat(64) },
      },
      units: new Map([
        ['camden', 'epsilon'],
        ['hackney', 'rho'],
        ['islington', 'epsilon'],
      ]),
    });
    expect(standingOf(all, false, null)).toBeNull();
    const code = 'BAD_ACCEPTANCE';
    expect(refusalOf(() => standingOf(all, true, null))).toMatchObject({ code, party: 'camden' });
    expect(refusalOf(() => standingOf(given, false, null))).toMatchObject({ code, party: 'camden' });
    const without = given.with(2, signedBy('islington', { period: 'Q2' }));
    expect(refusalOf(() => standingOf(without, true, null))).toMatchObject({ code, party: 'islington' });
  });

  it('bind the period: a changed one no longer fits the signature', () => {
    const given = signedBy('hackney', { period: 'Q1', budget: 'rho' });
    const changed = { ...given, acceptance: { ...given.acceptance, period: 'Q2' } };
    expect(refusalOf(check([all[0]!, changed, all[2]!]))).toMatchObject({ code: 'BAD_ACCEPTANCE', party: 'hackney' });
    const stripped = { ...given, acceptance: { ...given.acceptance, period: null, budget: null } };
    expect(refusalOf(check([all[0]!, stripped, all[2]!]))).toMatchObject({ code: 'BAD_ACCEPTANCE', party: 'hackney' });
  });

  it('of an exact job may leave both out: what is signed is the same', () => {
    const { period: _, budget: __, ...rest } = all[0]!.acceptance;
    const read = signedAcceptanceSchema.parse({ acceptance: rest, signature: all[0]!.signature });
    expect(read).toEqual(all[0]);
    expect(check([read, all[1]!, all[2]!])).not.toThrow();
    expect(toHex(acceptancesHash([read, all[1]!, all[2]!]))).toBe(toHex(acceptancesHash(all)));
  });

  it('state what a rule asks beyond a threshold, only where it asks', () => {
    const strict = { round: 5, dominance: { n: 1, share: 0.8 } };
    const given = signedBy('hackney', strict);
    expect(check([all[0]!, given, all[2]!])).not.toThrow();
    const again = signedAcceptanceSchema.parse(JSON.parse(JSON.stringify(given)));
    expect(check([all[0]!, again, all[2]!])).not.toThrow();
    const looser = [{ round: 4 }, { round: undefined }, { dominance: { n: 1, share: 0.9 } }, { dominance: undefined }];
    for (const change of looser) {
      const changed = { ...given, acceptance: { ...given.acceptance, ...change } };
      expect(refusalOf(check([all[0]!, changed, all[2]!]))).toMatchObject({ code: 'BAD_ACCEPTANCE', party: 'hackney' });
    }
    // A rule that asks nothing more is signed for as it always was.
    expect(signedBy('camden', { round: undefined, dominance: undefined }).signature).toBe(all[0]!.signature);
    expect(toHex(acceptancesHash(all))).toBe('7a30a60935ab76dc0ec48bd16cdab7790fd4285a94c78fd2da9f4961e8769b34');
  });

  it.each([{ round: 0 }, { round: 1.5 }, { dominance: { n: 1, share: 0 } }, { dominance: { n: 0, share: 0.5 } }])(
    'are not well formed with %j',
    (changes) => {
      const { signature, acceptance: good } = all[0]!;
      expect(signedAcceptanceSchema.safeParse({ signature, acceptance: good }).success).toBe(true);
      expect(signedAcceptanceSchema.safeParse({ signature, acceptance: { ...good, ...changes } }).success).toBe(false);
    },
  );

  it('are a helper’s too', () => {
    const roster = [...parties, 'ncl-health'];
    const helped = [...all, signedBy('ncl-health', { rule: '', min_group: 1 })];
    expect(() => checkAcceptances(helped, roster, charter, agreed)).not.toThrow();
    expect(refusalOf(() => checkAcceptances(all, roster, charter, agreed))).toMatchObject({
      code: 'BAD_ACCEPTANCE',
      party: 'ncl-health',
    });
  });

  it.each([
    ['one is missing', all.slice(0, 2), 'islington'],
    ['one is there twice', [...all, signedBy('hackney')], 'hackney'],
    ['a stranger joins', [...all, signedBy('ncl-health')], 'ncl-health'],
    ['one is signed by another', [all[0]!, signedBy('hackney', {}, 'camden'), all[2]!], 'hackney'],
    ['one is for another job', [all[0]!, signedBy('hackney', { job: '0'.repeat(64) }), all[2]!], 'hackney'],
    ['one is under another charter', [all[0]!, signedBy('hackney', { charter: '0'.repeat(64) }), all[2]!], 'hackney'],
    ['one has expired', [all[0]!, signedBy('hackney', { expires: at(-3 * minute) }), all[2]!], 'hackney'],
    [
      'one was changed',
      [all[0]!, { ...all[1]!, acceptance: acceptance('hackney', { min_group: 1 }) }, all[2]!],
      'hackney',
    ],
  ])('are refused when %s, naming the party', (_, list, party) => {
    expect(refusalOf(check(list))).toMatchObject({ code: 'BAD_ACCEPTANCE', party });
  });
});
