import { describe, expect, it } from 'vitest';
import { seededRng } from '../src/algebra/prg.ts';
import { fromBytes } from '../src/algebra/ring.ts';
import { isFolkmootError } from '../src/channel/errors.ts';
import type { Faults } from '../src/channel/simulate.ts';
import { agree } from '../src/engine/agree.ts';
import { packShares, report, unpackShares } from '../src/engine/report.ts';
import type { Phase } from '../src/engine/run-job.ts';
import { jobId } from '../src/query/envelope.ts';
import { evaluate } from '../src/query/local.ts';
import { analystSide, answerOf, jobYaml, openingsOf, parties, rows, run, terms } from './job-run.ts';

const expectedRows = [
  { tenure: 'owner', households: 2, total: '1000.11' },
  { tenure: 'private', households: 3, total: '10.28' },
  { tenure: 'social', households: 0, total: '0.00' },
];
const summary = (answer: Awaited<ReturnType<typeof answerOf>>) =>
  answer.rows.map((row) => ({
    tenure: row.tenure,
    households: (row.households as { value: number }).value,
    total: Number((row.total as { exact: string }).exact).toFixed(2),
  }));

describe('runJob', () => {
  it('gives the exact statistic over all parties’ rows, in two rounds and 96 bytes a pair', async () => {
    const given = terms();
    const { outcomes, rounds, bytes, seen } = await run(given, { seed: 1 });
    const answer = await answerOf(given, openingsOf(outcomes));
    expect(summary(answer)).toEqual(expectedRows);
    // 1, 1 and 3: squares of debts need 128 bits, and nothing of the last digit is lost beside 10^11.
    expect((answer.rows[1]!.spread as { value: number }).value).toBeCloseTo(4 / 3, 12);
    expect(answer).toMatchObject({ job: jobId(given.signed.envelope), status: 'DONE', threshold: 0, parties });
    expect(rounds).toBe(2);
    for (const party of parties) expect(bytes[party]).toBe(2 * (32 + 64));
    const road: Phase[] = ['agree', 'query', 'share', 'prepare', 'evaluate', 'noise', 'commit', 'open', 'release'];
    for (const party of parties) expect(seen[party]!.phases).toEqual(road);
  });

  it('makes the sealed bytes durable before anything leaves, and releases exactly these', async () => {
    const { seen, outcomes } = await run(terms(), { seed: 2 });
    for (const opening of openingsOf(outcomes)) {
      expect(seen[opening.party]!.durable).toEqual([opening.sealed]);
      expect(seen[opening.party]!.released).toEqual([opening]);
    }
  });

  it('seals a share that says nothing about the rows: a party with other rows has other sums under other masks', async () => {
    const { outcomes } = await run(terms(), { seed: 3 });
    const { layout, query, checked } = agree(terms());
    for (const { party, sealed: bytes } of openingsOf(outcomes)) {
      const bare = evaluate(query, checked.dataset, rows[party]!);
      const words = new BigUint64Array(bytes.slice(1).buffer);
      // The first section's first words are sums in the clear only if no mask was added.
      expect([...words.subarray(0, 3)]).not.toEqual(bare[layout.sections[0]!.statistics[0]!]);
    }
  });

  it('withholds what stands on fewer people than any party asks for', async () => {
    const given = terms({ minGroup: 3 });
    const { outcomes } = await run(given, { seed: 4 });
    const answer = await answerOf(given, openingsOf(outcomes));
    expect(answer.threshold).toBe(3);
    expect(answer.rows[0]!.households).toMatchObject({ value: null, suppressed: true });
    expect(answer.rows[1]!.households).toMatchObject({ value: 3 });
  });

  it('keeps the job’s own threshold where every party would do with less', async () => {
    expect(agree(terms({ minGroup: 2, job: `${jobYaml}min_group: 4\n` })).threshold).toBe(4);
    expect(agree(terms({ minGroup: 5, job: `${jobYaml}min_group: 4\n` })).threshold).toBe(5);
  });

  it('does not count the people of the analyst’s own party toward the threshold', async () => {
    const given = terms({ analyst: 'insider', minGroup: 3 });
    const { outcomes } = await run(given, { seed: 5 });
    const answer = await answerOf(given, openingsOf(outcomes));
    expect(answer.rows[1]!.households).toMatchObject({ value: null, suppressed: true });
  });

  it('ends with the right answer or a typed error under every fault, for 56 seeds', async () => {
    const given = terms();
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
      const { outcomes, seen } = await run(given, { seed, faults: fault[seed % fault.length]! });
      for (const outcome of outcomes.values()) {
        if ('error' in outcome) expect(isFolkmootError(outcome.error)).toBe(true);
      }
      // Nothing is released that was not durable first.
      for (const party of parties) {
        for (const opening of seen[party]!.released) expect(seen[party]!.durable).toContainEqual(opening.sealed);
      }
      const openings = openingsOf(outcomes);
      if (openings.length === parties.length) {
        expect(summary(await answerOf(given, openings))).toEqual(expectedRows);
        answered += 1;
      } else {
        await expect(answerOf(given, openings)).rejects.toThrow(expect.objectContaining({ code: 'BAD_COMMITMENT' }));
      }
    }
    expect(answered).toBeGreaterThan(8);
    expect(answered).toBeLessThan(56);
  });

  it('stops before the query where an acceptance is missing, doubled, forged or for another job', async () => {
    const given = terms();
    const other = terms({ job: jobYaml.replace('Arrears', 'Others') });
    const [camden, hackney, islington] = given.acceptances;
    const forged = { ...hackney!, acceptance: { ...hackney!.acceptance, min_group: 2 } };
    const lists = [
      [camden!, hackney!],
      [camden!, hackney!, islington!, islington!],
      [camden!, forged, islington!],
      [camden!, other.acceptances[1]!, islington!],
    ];
    for (const acceptances of lists) {
      const { outcomes, seen } = await run(given, { seed: 6, at: { camden: { ...given, acceptances } } });
      expect(outcomes.get('camden')).toMatchObject({ error: { code: 'BAD_ACCEPTANCE' } });
      expect(seen.camden!.phases).toEqual(['agree']);
      for (const party of ['hackney', 'islington']) {
        expect(outcomes.get(party)).toMatchObject({ error: { code: expect.stringMatching('PARTY_FAILED|STALLED') } });
        expect(seen[party]!.released).toEqual([]);
      }
    }
  });

  it('opens nothing where two parties hold different acceptances', async () => {
    // Both lists are good; a coordinator gave one party another acceptance of the same peer.
    const stricter = terms({ minGroup: 9 });
    for (const minGroup of [1, 3]) {
      const given = terms({ minGroup });
      const mixed = { ...given, acceptances: [given.acceptances[0]!, stricter.acceptances[1]!, given.acceptances[2]!] };
      const { seen, outcomes } = await run(given, { seed: 7, at: { camden: mixed } });
      // Where nothing else is decided on shares, the other parties have no word to say before the opening.
      expect(outcomes.get('camden')).toMatchObject({ error: { code: minGroup === 1 ? 'STALLED' : 'BAD_ACCEPTANCE' } });
      for (const party of parties) expect(seen[party]!.released).toEqual([]);
    }
  });

  it('refuses a channel that is bound to another job or other parties', async () => {
    const given = terms();
    const other = terms({ job: jobYaml.replace('Arrears', 'Others') });
    const { outcomes } = await run(given, { seed: 8, at: { camden: other } });
    expect(outcomes.get('camden')).toMatchObject({ error: { code: 'BAD_HANDSHAKE' } });
  });

  it('refuses a job that has expired at this party’s own clock', async () => {
    const late = { ...terms(), nowMs: Date.parse('2026-11-21T10:02:00.000Z') };
    const { outcomes } = await run(terms(), { seed: 9, at: { hackney: late } });
    expect(outcomes.get('hackney')).toMatchObject({ error: { code: 'JOB_EXPIRED' } });
  });
});

describe('the report', () => {
  it('names a party whose bytes were changed, whose share is short, or whose opening is missing', async () => {
    const given = terms();
    const { outcomes } = await run(given, { seed: 10 });
    const openings = openingsOf(outcomes);
    const changed = openings.map((opening) =>
      opening.party === 'hackney' ? { ...opening, sealed: opening.sealed.with(5, opening.sealed[5]! ^ 1) } : opening,
    );
    const error = (code: string, party: string) => expect.objectContaining({ code, party });
    await expect(answerOf(given, changed)).rejects.toThrow(error('BAD_COMMITMENT', 'hackney'));
    await expect(answerOf(given, openings.slice(1))).rejects.toThrow(error('BAD_COMMITMENT', 'camden'));
    const short = { ...analystSide, open: async (bytes: Uint8Array) => bytes.slice(2) };
    await expect(report(given, { attempt: 1, openings }, short)).rejects.toThrow(error('BAD_ENVELOPE', 'camden'));
    await expect(report(given, { attempt: 2, openings }, analystSide)).rejects.toThrow(
      expect.objectContaining({ code: 'BAD_OPENING_SIGNATURE' }),
    );
  });

  it('packs the vectors of all sections, and unpacks them again', () => {
    const { layout } = agree(terms());
    const rng = seededRng(1);
    const shares = layout.sections.map(({ ring, statistics }) => {
      const elements = statistics.length * layout.cells;
      return fromBytes(ring, rng((elements * ring.bits) / 8), elements);
    });
    expect(layout.sections.map(({ ring }) => ring.name)).toEqual(['Z2_64', 'Z2_128']);
    expect(unpackShares(layout, packShares(shares), 'camden')).toEqual(shares);
  });
});
