import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../src/algebra/bytes.ts';
import { seededRng } from '../src/algebra/prg.ts';
import { fromBytes } from '../src/algebra/ring.ts';
import { isFolkmootError } from '../src/channel/errors.ts';
import { type Faults, type Outcome, simulate } from '../src/channel/simulate.ts';
import { agree, type Terms } from '../src/engine/agree.ts';
import { packShares, report, unpackShares } from '../src/engine/report.ts';
import { type Effects, type Phase, runJob } from '../src/engine/run-job.ts';
import type { Opening } from '../src/protocols/open.ts';
import { signAcceptance } from '../src/query/acceptance.ts';
import { type Charter, charterHash, parseCharter, signCharter, withKeys } from '../src/query/charter.ts';
import { jobId, signJob } from '../src/query/envelope.ts';
import { publicKeyOf, signer, verify } from '../src/query/identity.ts';
import { parseJob } from '../src/query/job.ts';
import { evaluate } from '../src/query/local.ts';
import type { Row } from '../src/query/record.ts';

const parties = ['camden', 'hackney', 'islington'];
const charterYaml = `
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
const rows: Record<string, Row[]> = {
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
const jobYaml = `
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

function sealedCharter(): Charter {
  let charter = parseCharter(charterYaml, 'charter.yaml');
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

function terms(options: { analyst?: string; minGroup?: number; job?: string } = {}): Terms {
  const analyst = options.analyst ?? 'ana';
  const envelope = {
    job: parseJob(options.job ?? jobYaml, 'job.yaml'),
    analyst,
    recipient: charter.analysts[analyst]!.recipient!,
    charter: charterHash(charter),
    issued: '2026-11-21T09:00:00.000Z',
    expires: '2026-11-21T10:00:00.000Z',
    nonce: '00'.repeat(16),
  };
  const signed = signJob(envelope, signer(seedOf(analyst)));
  const acceptances = parties.map((party) =>
    signAcceptance(
      {
        job: jobId(envelope),
        party,
        charter: charterHash(charter),
        policy: '11'.repeat(32),
        fingerprint: '22'.repeat(32),
        build: 'test',
        expires: envelope.expires,
        min_group: options.minGroup ?? 1,
        rule: 'statistics',
        period: null,
        budget: null,
      },
      signer(seedOf(party)),
    ),
  );
  return { signed, charter, acceptances, nowMs };
}

/** A sealing that hides nothing but shows whose bytes these are. */
const sealed = (party: string, message: Uint8Array) => Uint8Array.of(parties.indexOf(party), ...message);
const verifyBy = (party: string, statement: Uint8Array, signature: Uint8Array) =>
  verify(fromHex(charter.parties[party]!.identity!), 'folkmoot opening v1', statement, signature);

const analystSide = {
  verify: verifyBy,
  open: async (bytes: Uint8Array, party: string) => {
    expect(bytes[0]).toBe(parties.indexOf(party));
    return bytes.slice(1);
  },
};

interface Seen {
  readonly phases: Phase[];
  readonly durable: Uint8Array[];
  readonly released: Opening[];
}

function effectsOf(party: string, seen: Seen): Effects {
  return {
    localQuery: async (query, dataset, ownParty) => evaluate(query, dataset, rows[party]!, ownParty),
    seal: async (message) => sealed(party, message),
    durable: async (bytes) => void seen.durable.push(bytes),
    signatures: {
      sign: (statement) => signer(seedOf(party))('folkmoot opening v1', statement),
      verify: verifyBy,
    },
    release: async (opening) => void seen.released.push(opening),
    report: (phase) => void seen.phases.push(phase),
  };
}

async function run(given: Terms, options: { seed: number; faults?: Faults; at?: Partial<Record<string, Terms>> }) {
  const seen = Object.fromEntries(
    parties.map((party): [string, Seen] => [party, { phases: [], durable: [], released: [] }]),
  );
  const { job, attempt } = agree(given).context(1);
  const simulation = await simulate(
    { parties, seed: options.seed, context: { job, attempt }, ...(options.faults ? { faults: options.faults } : {}) },
    (ch) => runJob(ch, options.at?.[ch.self] ?? given, effectsOf(ch.self, seen[ch.self]!)),
  );
  return { ...simulation, seen };
}

const openingsOf = (outcomes: ReadonlyMap<string, Outcome<Opening>>): Opening[] =>
  [...outcomes.values()].flatMap((outcome) => ('value' in outcome ? [outcome.value] : []));
const answerOf = (given: Terms, openings: readonly Opening[]) => report(given, { attempt: 1, openings }, analystSide);

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
    const road: Phase[] = ['agree', 'query', 'share', 'evaluate', 'noise', 'commit', 'open', 'release'];
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

  it('ends with the right answer or a typed error under every fault, for 126 seeds', async () => {
    const given = terms();
    let answered = 0;
    for (let seed = 0; seed < 126; seed++) {
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
    expect(answered).toBeGreaterThan(20);
    expect(answered).toBeLessThan(126);
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
    const given = terms();
    const stricter = terms({ minGroup: 9 });
    const mixed = { ...given, acceptances: [given.acceptances[0]!, stricter.acceptances[1]!, given.acceptances[2]!] };
    const { seen, outcomes } = await run(given, { seed: 7, at: { camden: mixed } });
    expect(outcomes.get('camden')).toMatchObject({ error: { code: 'BAD_OPENING_SIGNATURE' } });
    for (const party of parties) expect(seen[party]!.released).toEqual([]);
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
