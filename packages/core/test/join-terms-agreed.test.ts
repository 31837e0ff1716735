/** What both sides of a join agree to, and how its answer is protected. @module */
import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { rings } from '../src/algebra/ring.ts';
import { agree, type Terms } from '../src/engine/agree.ts';
import { partyNoise } from '../src/engine/noise.ts';
import { noiseBound } from '../src/privacy/mechanism.ts';
import { type Acceptance, signAcceptance } from '../src/query/acceptance.ts';
import { type Charter, charterHash, parseCharter } from '../src/query/charter.ts';
import { checkJob, rosterOf } from '../src/query/check-job.ts';
import { jobId, signJob } from '../src/query/envelope.ts';
import { signer } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import { compile, evaluate } from '../src/query/local.ts';
import { finishProtected } from '../src/query/protected-answer.ts';
import { combine, protect } from '../src/query/protection.ts';
import { questionHash, questionKey } from '../src/query/question.ts';
import type { Row } from '../src/query/record.ts';
import { charterWith, checkedJob, jobText, joinYaml, recipientOf, replaced, sealed, seedOf } from './consortium.ts';
import { fit } from './goodness.ts';
import { refusalOf } from './refusal.ts';

const nowMs = Date.parse('2026-11-21T09:00:00.000Z');
const analyst = 'housing-analytics';
/** Up to two rows of a key at the left, up to three at the right. */
const charter = sealed(
  parseCharter(
    charterWith(
      ['nhs_number: { type: identifier, ', 'nhs_number: { type: identifier, max_rows_per_key: 2, '],
      ['unit: nhs_number\n    max_rows_per_unit: 1', 'unit: nhs_number\n    max_rows_per_unit: 3'],
    ),
    'charter.yaml',
  ),
);
const protectedYaml = `${joinYaml}privacy: { epsilon: 1 }\n`;
const classes: Readonly<Record<string, number>> = { camden: 34, 'ncl-health': 40 };

function terms(
  job: string,
  change: (party: string) => Partial<Acceptance> = () => ({}),
  under: Charter = charter,
): Terms {
  const envelope = {
    job: parseJob(job, 'job.yaml'),
    analyst,
    recipient: recipientOf(analyst),
    charter: charterHash(under),
    issued: '2026-11-21T09:00:00.000Z',
    expires: '2026-11-21T10:00:00.000Z',
    nonce: '00'.repeat(16),
  };
  const checked = checkJob(envelope.job, under);
  const acceptances = rosterOf(checked).map((party) => {
    const isSide = checked.join !== null && checked.parties.includes(party);
    const hasPeriod = checked.privacy !== null && checked.parties.includes(party);
    const acceptance: Acceptance = {
      job: jobId(envelope),
      party,
      charter: charterHash(under),
      policy: '11'.repeat(32),
      fingerprint: '22'.repeat(32),
      build: 'test',
      expires: envelope.expires,
      min_group: 5,
      rule: party === checked.helper ? '' : 'link',
      period: hasPeriod ? '2026-Q4' : null,
      budget: hasPeriod ? 'epsilon' : null,
      ...(isSide ? { set_class: classes[party]! } : {}),
      ...change(party),
    };
    return signAcceptance(acceptance, signer(seedOf(party)));
  });
  return { signed: signJob(envelope, signer(seedOf(analyst))), charter: under, acceptances, nowMs };
}

const only = (party: string, changes: Partial<Acceptance>) => (each: string) => (each === party ? changes : {});

describe('the sides of a join', () => {
  it('agree on the size class of each', () => {
    expect(agree(terms(joinYaml))).toMatchObject({ join: { classes: { left: 34, right: 40 } }, threshold: 5 });
    expect(agree(terms(replaced(joinYaml, [['measures:', 'join_helper: hackney\nmeasures:']])))).toMatchObject({
      join: { classes: { left: 34, right: 40 } },
    });
    const pooled = jobText('measures: { n: count }');
    expect(agree(terms(pooled)).join).toBeNull();
  });

  it('state the class each, and nobody else does', () => {
    const helped = replaced(joinYaml, [['measures:', 'join_helper: hackney\nmeasures:']]);
    const bad = (text: string, party: string, changes: Partial<Acceptance>) =>
      expect(
        refusalOf(() => agree(terms(text, only(party, changes)))),
        party,
      ).toMatchObject({ code: 'BAD_ACCEPTANCE', party });
    bad(joinYaml, 'camden', { set_class: undefined });
    bad(joinYaml, 'ncl-health', { set_class: undefined });
    bad(helped, 'hackney', { set_class: 20 });
    bad(jobText('measures: { n: count }'), 'islington', { set_class: 20 });
  });

  it('bind the class: another one no longer fits the signature', () => {
    const given = terms(joinYaml);
    const [first, second] = given.acceptances;
    const changed = { ...first!, acceptance: { ...first!.acceptance, set_class: 35 } };
    expect(refusalOf(() => agree({ ...given, acceptances: [changed, second!] }))).toMatchObject({
      code: 'BAD_ACCEPTANCE',
      party: 'camden',
    });
  });

  it('state the period and the unit of a protected join, and its helper neither', () => {
    const helped = replaced(protectedYaml, [['measures:', 'join_helper: hackney\nmeasures:']]);
    expect(Object.keys(agree(terms(helped)).readings)).toEqual(['camden', 'ncl-health']);
    expect(refusalOf(() => agree(terms(helped, only('hackney', { period: 'Q4', budget: 'epsilon' }))))).toMatchObject({
      code: 'BAD_ACCEPTANCE',
      party: 'hackney',
    });
    expect(refusalOf(() => agree(terms(helped, only('camden', { period: null }))))).toMatchObject({
      code: 'BAD_ACCEPTANCE',
      party: 'camden',
    });
  });

  it('do not go on where one’s rule withholds large contributors', () => {
    const strict = only('camden', { dominance: { n: 1, share: 0.8 } });
    expect(refusalOf(() => agree(terms(joinYaml, strict)))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'measures.mean_cost',
    });
    expect(() => agree(terms(protectedYaml, strict))).not.toThrow();
  });

  it('count all people whom both have, whoever asks', () => {
    const own = sealed(parseCharter(charterWith(['{ roles: [analyst] }', '{ roles: [analyst], party: camden }']), 'c'));
    expect(agree(terms(joinYaml, undefined, own)).query.ownParty).toBeNull();
  });
});

describe('the protection of a join', () => {
  const protectionOf = (text: string) => {
    const checked = checkedJob(text, charter);
    const query = compile(checked);
    return { checked, query, protection: protect(checked, query, 2, []) };
  };

  it('covers every pair that the rows of one key can make', () => {
    const { protection } = protectionOf(protectedYaml);
    expect(protection).toMatchObject({ parties: 2, honest: 1, person: { rows: 6n, parties: 1n } });
    const count = protection.releases.find(({ what }) => what === 'count')!;
    expect(count).toMatchObject({ l1: 6n, l2Squared: 36n });
  });

  it('opens integers, under noise on the lattice that a pooled answer of that size would have', () => {
    const little = '{ epsilon: 0.001 }';
    const { protection } = protectionOf(replaced(protectedYaml, [['{ epsilon: 1 }', little]]));
    const { lattice } = protection.releases.find(({ what }) => what.includes('left.arrears'))!;
    expect(lattice).toBeGreaterThan(1n);
    const pooled = checkedJob(jobText(`measures: { total: { sum: arrears } }\nprivacy: ${little}`), charter);
    expect(protect(pooled, compile(pooled), 3, [])).toMatchObject({ isDithered: false });
    expect(protection).toMatchObject({ isDithered: true });
    expect(() => combine(protection, [])).toThrow('nobody has a value to round down');
  });

  it('fits its ring for as many pairs as two sets of the largest class make, with all noise', () => {
    const squares = ['{ sum: left.arrears }', '{ correlation: [left.arrears, right.annual_cost] }'] as const;
    const { protection } = protectionOf(replaced(protectedYaml, [squares]));
    const parts = protection.releases.flatMap((release) => release.parts.map(() => release));
    for (const { ring, statistics } of protection.layout.sections) {
      for (const part of statistics) {
        const { rowMax, noise, lattice } = parts[part]!;
        const bound = 2n ** 22n * 6n * rowMax + lattice * (noiseBound(noise) + 2n);
        expect(bound).toBeLessThan(2n ** BigInt(ring.bits - 1));
        // And the ring is the smallest of those.
        const smaller = rings[rings.indexOf(ring) - 1];
        if (smaller !== undefined) expect(bound).toBeGreaterThanOrEqual(2n ** BigInt(smaller.bits - 1));
      }
    }
    expect(protection.layout.sections.length).toBeGreaterThan(1);
  });

  it('draws noise that is a multiple of the lattice and a uniform number below it, the same again and at each side another', () => {
    const little = replaced(protectedYaml, [['{ epsilon: 1 }', '{ epsilon: 0.001 }']]);
    const { protection, ...rest } = agree(terms(little));
    const noise = (self: string, seed = 7) =>
      partyNoise({ ...rest, protection: protection! }, seededRng(seed)(32), self);
    expect(noise('camden')).toEqual(noise('camden'));
    expect(noise('camden')).not.toEqual(noise('ncl-health'));
    const { first, lattice } = protection!.releases.find(({ what }) => what.includes('left.arrears'))!;
    const draws = Array.from({ length: 500 }, (_, seed) => noise('camden', seed)[first]!).flat();
    // Below the lattice every number is as likely as any other.
    const low = Math.min(Number(lattice), 64);
    const uniform = fit(
      draws.map((drawn) => Number(BigInt.asUintN(64, drawn) % BigInt(low))),
      () => 1 / low,
      0,
      low - 1,
    );
    expect(uniform.chiSquare).toBeGreaterThan(1e-6);
  });

  it('opens what combinations of the sums over all pairs are, less what was added below the lattice', () => {
    for (const epsilon of ['1000', '0.001']) {
      const { checked, query, protection } = protectionOf(
        replaced(protectedYaml, [['{ epsilon: 1 }', `{ epsilon: ${epsilon} }`]]),
      );
      const pairs = [
        ['1', 'temporary', '10.50', '2000'],
        ['1', 'temporary', '10.50', '3000'],
        ['2', 'temporary', '0', '100'],
        ['3', 'owner', '7', '55.55'],
      ].map(([key, tenure, arrears, cost]): Row => {
        return {
          'left.nhs_number': key!,
          'left.tenure': tenure!,
          'left.arrears': arrears!,
          'right.annual_cost': cost!,
        };
      });
      const sums = evaluate(query, checked.dataset, pairs);
      const totals = protection.releases.flatMap(({ parts, lattice }) =>
        parts.map((part) =>
          Array.from({ length: query.cells }, (_, cell) =>
            // Both parties' dither at its middle.
            part.reduce((sum, [place, coefficient]) => sum + coefficient * sums[place]![cell]!, lattice - 1n),
          ),
        ),
      );
      const answer = finishProtected({
        job: 'ab',
        checked,
        query,
        protection,
        totals,
        threshold: 0,
        round: 1,
        periods: {},
      });
      expect(answer.rows[3]).toMatchObject({
        'left.tenure': 'temporary',
        people: { exact: '3' },
        arrears: { exact: '21.00' },
      });
      if (epsilon === '1000') expect(answer.rows[3]).toMatchObject({ mean_cost: { value: expect.closeTo(1700, 6) } });
      expect(answer.privacy).toMatchObject({ unit: 'nhs_number', rows_per_unit: 6, parties_per_unit: 1 });
      expect(answer.privacy!.statement).toContain('at most 2 at camden and 3 at ncl-health');
    }
  });
});

describe('the question of a protected join', () => {
  const hash = (...changes: readonly (readonly [string, string])[]) =>
    questionHash(checkedJob(replaced(protectedYaml, changes), charter));

  it('is the same by whoever’s help, and with its parties named', () => {
    expect(hash(['measures:', 'join_helper: hackney\nmeasures:'])).toBe(hash());
    expect(hash(['measures:', 'parties: [ncl-health, camden]\nmeasures:'])).toBe(hash());
    expect(hash(['title: Health cost of people in temporary housing', 'title: Something else'])).toBe(hash());
  });

  it('is another with another side, another dataset, or the sides exchanged', () => {
    const residents = ['ncl-health, dataset: patients', 'hackney, dataset: residents'] as const;
    const ages = ['right.annual_cost', 'right.age'] as const;
    const others = [
      hash(),
      hash(['{ party: camden', '{ party: hackney']),
      hash(residents, ages),
      hash(['{ mean: right.annual_cost }', '{ mean: right.conditions }']),
      hash(
        ['left:  { party: camden, dataset: residents }', 'left:  { party: ncl-health, dataset: patients }'],
        ['right: { party: ncl-health, dataset: patients }', 'right: { party: camden, dataset: residents }'],
        ['left.tenure', 'right.tenure'],
        ['right.annual_cost', 'left.annual_cost'],
        ['{ sum: left.arrears }', '{ sum: right.arrears }'],
      ),
    ];
    expect(new Set(others).size).toBe(others.length);
  });

  it('is charged anew where either side read its data again', () => {
    const checked = checkedJob(protectedYaml, charter);
    const reading = { period: '2026-Q4', fingerprint: '22'.repeat(32) };
    const key = (camden: object, health: object) =>
      questionKey({
        analyst,
        checked,
        readings: { camden: { ...reading, ...camden }, 'ncl-health': { ...reading, ...health } },
      });
    const again = { fingerprint: '33'.repeat(32) };
    expect(new Set([key({}, {}), key(again, {}), key({}, again), key({ period: '2027-Q1' }, {})]).size).toBe(4);
  });
});
