import { describe, expect, it } from 'vitest';
import { toHex } from '../src/algebra/bytes.ts';
import { isFolkmootError } from '../src/channel/errors.ts';
import type { Faults } from '../src/channel/simulate.ts';
import { agree, type Terms } from '../src/engine/agree.ts';
import { partyNoise } from '../src/engine/noise.ts';
import { unpackShares } from '../src/engine/report.ts';
import type { Opening } from '../src/protocols/open.ts';
import { decode } from '../src/query/encode.ts';
import { evaluate } from '../src/query/local.ts';
import { combine } from '../src/query/protection.ts';
import { open } from '../src/sharing/additive.ts';
import {
  answerOf,
  charterYaml,
  jobYaml,
  noiseKeyOf,
  openingsOf,
  parties,
  type RunOptions,
  rows,
  run,
  sealedCharter,
  type TermsOptions,
  terms,
} from './job-run.ts';

const protectedYaml = jobYaml.replace('spread: { variance: debt }', 'middle: { mean: arrears }');
const yaml = (privacy = 'epsilon: 1', text = protectedYaml) => `${text}privacy: { ${privacy} }\n`;
const asked = (options: TermsOptions = {}) => terms({ job: yaml(), ...options });

/** What one party adds to each part and cell. */
function noiseOf(given: Terms, party: string): bigint[][] {
  const { checked, query, protection, readings } = agree(given);
  return partyNoise({ checked, query, protection: protection!, readings }, noiseKeyOf(party), party);
}

/** The plain second way: every party's combined sums and noise, added in the clear. */
function expectedTotals(given: Terms): bigint[][] {
  const { query, checked, protection } = agree(given);
  const all = checked.parties.flatMap((party) => [
    combine(protection!, evaluate(query, checked.dataset, rows[party]!)),
    noiseOf(given, party),
  ]);
  return all[0]!.map((cells, part) => cells.map((_, cell) => all.reduce((sum, own) => sum + own[part]![cell]!, 0n)));
}

/** What the analyst opens. */
function totalsOf(given: Terms, openings: readonly Opening[]): bigint[][] {
  const { layout } = agree(given);
  const shares = openings.map(({ party, sealed }) => unpackShares(layout, sealed.slice(1), party));
  return decode(
    layout,
    layout.sections.map((_, section) => open(shares.map((own) => own[section]!))),
  );
}

async function opened(given: Terms, options: RunOptions): Promise<bigint[][]> {
  const { outcomes } = await run(given, options);
  return totalsOf(given, openingsOf(outcomes));
}

describe('a protected job', () => {
  it('opens every party’s sums and noise, in the rounds and bytes of an exact one', async () => {
    const given = asked();
    const { outcomes, rounds, bytes, seen } = await run(given, { seed: 1 });
    const totals = totalsOf(given, openingsOf(outcomes));
    expect(totals).toEqual(expectedTotals(given));
    expect(rounds).toBe(2);
    for (const party of parties) expect(bytes[party]).toBe(2 * (32 + 64));
    const road = ['agree', 'query', 'share', 'prepare', 'evaluate', 'noise', 'commit', 'open', 'release'];
    for (const party of parties) expect(seen[party]!.phases).toEqual(road);
  });

  it.each([
    ['pure epsilon', 'epsilon: 1'],
    ['epsilon and delta', 'epsilon: 1, delta: 1e-6'],
    ['rho', 'rho: 0.1'],
    ['rho by Laplace noise', 'rho: 0.1, mechanism: laplace'],
    ['rho by Gaussian noise', 'rho: 0.1, mechanism: gaussian'],
    ['a collusion of one', 'epsilon: 1, collusion: 1'],
    ['no collusion', 'epsilon: 1, collusion: 0'],
    ['a split', 'epsilon: 1, split: { households: 1, total: 2, middle: 3 }'],
  ])('opens the same with %s', async (_, privacy) => {
    const given = terms({ job: yaml(privacy), budget: privacy.startsWith('rho') ? 'rho' : 'epsilon' });
    expect(await opened(given, { seed: 2 })).toEqual(expectedTotals(given));
  });

  it('may have two parties, where the charter allows it', async () => {
    const given = terms({ job: `${yaml()}parties: [camden, islington]\n` });
    expect(await opened(given, { seed: 3 })).toEqual(expectedTotals(given));
  });

  it('is answered from the noisy totals, with the interval of its noise', async () => {
    const given = asked();
    const { outcomes } = await run(given, { seed: 4 });
    const answer = await answerOf(given, openingsOf(outcomes));
    const { protection } = agree(given);
    const households = protection!.releases.find(({ measures }) => measures.includes('households'))!;
    expect(households.lattice).toBe(1n);
    const totals = expectedTotals(given)[households.first]!;
    answer.rows.forEach((row, cell) => {
      expect(row.households).toMatchObject({
        value: Number(totals[cell]),
        ci95: [expect.any(Number), expect.any(Number)],
      });
    });
    expect(answer.privacy).not.toBeNull();
  });

  it('has other noise at every party', () => {
    const given = asked();
    const all = parties.map((party) => JSON.stringify(noiseOf(given, party).map(String)));
    expect(new Set(all).size).toBe(3);
    // A node key that was copied to another party gives that party other noise all the same.
    const { checked, query, protection, readings } = agree(given);
    const key = noiseKeyOf('camden');
    const own = { checked, query, protection: protection!, readings };
    expect(partyNoise(own, key, 'camden')).not.toEqual(partyNoise(own, key, 'hackney'));
  });

  it('has other noise on other figures, though the question and their words are the same', () => {
    const { checked, query, protection, readings } = agree(asked());
    const own = { checked, query, protection: protection!, readings };
    const releases = protection!.releases.map((release) => ({
      ...release,
      parts: release.parts.map((part) => part.map(([place, times]) => [place, 2n * times] as const)),
    }));
    const other = { ...own, protection: { ...protection!, releases } };
    const key = noiseKeyOf('camden');
    expect(partyNoise(other, key, 'camden')).not.toEqual(partyNoise(own, key, 'camden'));
  });

  it('ends with the right noisy totals or a typed error under every fault, for 56 seeds', async () => {
    const given = asked();
    const expected = expectedTotals(given);
    let answered = 0;
    for (let seed = 0; seed < 56; seed++) {
      const fault: Faults[] = [
        { loss: 0.1 },
        { repeat: 0.1 },
        { reorder: 0.2 },
        { delay: 0.5 },
        { corrupt: 0.1 },
        { cut: 0.1 },
        { crash: { party: parties[seed % 3]!, atStep: 1 + (seed % 8) } },
      ];
      const { outcomes } = await run(given, { seed, faults: fault[seed % fault.length]! });
      for (const outcome of outcomes.values()) {
        if ('error' in outcome) expect(isFolkmootError(outcome.error)).toBe(true);
      }
      const openings = openingsOf(outcomes);
      if (openings.length < parties.length) continue;
      expect(totalsOf(given, openings)).toEqual(expected);
      answered += 1;
    }
    expect(answered).toBeGreaterThan(8);
    expect(answered).toBeLessThan(56);
  });

  it('has the same totals at a retry, under other masks, and when it is asked again', async () => {
    const given = asked();
    const first = await run(given, { seed: 5 });
    const retry = await run(given, { seed: 6, attempt: 2 });
    const again = asked({ nonce: '11'.repeat(16) });
    const totals = totalsOf(given, openingsOf(first.outcomes));
    expect(totalsOf(given, openingsOf(retry.outcomes))).toEqual(totals);
    expect(await opened(again, { seed: 7 })).toEqual(totals);
    const bytesOf = (outcomes: typeof first.outcomes) => openingsOf(outcomes).map(({ sealed }) => toHex(sealed));
    for (const [at, bytes] of bytesOf(retry.outcomes).entries()) expect(bytes).not.toBe(bytesOf(first.outcomes)[at]);
  });

  it('has the same totals for another analyst, though its own party takes part', async () => {
    const totals = await opened(asked(), { seed: 8 });
    expect(await opened(asked({ analyst: 'insider' }), { seed: 9 })).toEqual(totals);
    const keyOf = (given: Terms) => agree(given).questionKey;
    expect(keyOf(asked({ analyst: 'insider' }))).not.toBe(keyOf(asked()));
  });

  it('has the same noise under another title', () => {
    const titled = asked({ job: yaml().replace('title: Arrears', 'title: Debts') });
    expect(noiseOf(titled, 'camden')).toEqual(noiseOf(asked(), 'camden'));
    expect(agree(titled).questionKey).toBe(agree(asked()).questionKey);
  });

  const bounds = (from: string, to: string): TermsOptions => ({
    charter: sealedCharter(charterYaml.replace(from, to)),
  });
  it.each([
    ['a filter', { job: yaml().replace('gte: 18', 'gte: 17') }],
    ['a name of a measure', { job: yaml().replace('households:', 'homes:') }],
    ['a threshold', { job: `${yaml()}min_group: 2\n` }],
    ['the scale', { job: yaml('epsilon: 1.000001') }],
    ['the collusion', { job: yaml('epsilon: 1, collusion: 1') }],
    ['the mechanism', { job: yaml('rho: 0.5, mechanism: laplace'), budget: 'rho' }],
    ['the roster', { job: `${yaml()}parties: [camden, hackney]\n` }],
    ['a period of another party', { periods: { hackney: '2027-Q1' } }],
    ['its own period', { periods: { camden: '2027-Q1' } }],
    [
      'a reading of another party, though the period is called the same',
      { fingerprints: { hackney: '33'.repeat(32) } },
    ],
    ['a bound of a column', bounds('max: 20000 ', 'max: 20001 ')],
    ['the rows of a person', bounds('max_rows: 1000\n', 'max_rows: 1000\n    max_rows_per_unit: 2\n')],
    ['the parties of a person', bounds('max_parties_per_unit: 1\n', 'max_parties_per_unit: 2\n')],
    ['a bound that no measure uses', bounds('max: 110 ', 'max: 111 ')],
  ] as [string, TermsOptions][])('has noise of its own, and another charge, where %s is another', (_, change) => {
    const [given, other] = [asked(), asked(change)];
    expect(agree(other).questionKey).not.toBe(agree(given).questionKey);
    const [one, two] = [noiseOf(given, 'camden'), noiseOf(other, 'camden')];
    expect(two).not.toEqual(one);
    // Not merely scaled or moved: where both have a part, most of it differs.
    const pairs = one.flatMap((cells, part) => cells.map((value, cell) => [value, two[part]?.[cell]]));
    expect(pairs.filter(([a, b]) => a !== b).length).toBeGreaterThan(pairs.length / 4);
  });

  it('is an assertion failure without a noise key, before anything is read', async () => {
    const { outcomes, seen } = await run(asked(), { seed: 10, effects: { noiseKey: undefined } as never });
    for (const party of parties) {
      expect(outcomes.get(party)).toMatchObject({ error: { message: expect.stringContaining('noise key') } });
      expect(seen[party]!.phases).toEqual(['agree']);
    }
  });

  it('is not computed with acceptances of an exact job, nor an exact one with those of a protected', async () => {
    const given = asked();
    const exact = terms();
    const bare = { ...given, acceptances: exact.acceptances };
    expect(() => agree(bare)).toThrow(expect.objectContaining({ code: 'BAD_ACCEPTANCE' }));
    const without = { ...given.acceptances[1]!.acceptance, period: null };
    const { outcomes } = await run(given, {
      seed: 11,
      at: {
        camden: { ...given, acceptances: given.acceptances.with(1, { ...given.acceptances[1]!, acceptance: without }) },
      },
    });
    expect(outcomes.get('camden')).toMatchObject({ error: { code: 'BAD_ACCEPTANCE', party: 'hackney' } });
  });

  it('opens nothing where parties hold different periods', async () => {
    const given = asked();
    const later = asked({ periods: { hackney: '2027-Q1' } });
    const mixed = { ...given, acceptances: given.acceptances.with(1, later.acceptances[1]!) };
    const { seen, outcomes } = await run(given, { seed: 12, at: { camden: mixed } });
    expect(outcomes.get('camden')).toMatchObject({ error: { code: 'BAD_OPENING_SIGNATURE' } });
    for (const party of parties) expect(seen[party]!.released).toEqual([]);
  });

  it('is refused to an analyst whose own party would not count among the colluding', () => {
    const given = asked({ analyst: 'insider', job: yaml('epsilon: 1, collusion: 0') });
    expect(() => agree(given)).toThrow(expect.objectContaining({ code: 'REFUSED', field: 'privacy.collusion' }));
    expect(() => agree(asked({ job: yaml('epsilon: 1, collusion: 0') }))).not.toThrow();
  });
});
