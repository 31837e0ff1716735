/** Joins that take their time: of sets of very different sizes, without a helper over bad networks, and with bad peers. */
import { describe, expect, it } from 'vitest';
import { isFolkmootError } from '../src/channel/errors.ts';
import type { Faults } from '../src/channel/simulate.ts';
import { answerOf, ask, headerBytes, type JoinRun, jobOf, patient, people, plain, resident, run } from './join-run.ts';

const measures = 'measures: { people: count, cost: { mean: right.annual_cost } }';
const hidden = jobOf(measures);
const helped = jobOf(`join_helper: hackney\n${measures}`);
const matches = jobOf('reveal: matches\nmeasures: { people: count }');

const residents = (from: number, to: number) => people(from, to).map((person) => resident(person, 1));
const patients = (from: number, to: number) => people(from, to).map((person) => patient(person, 1));

describe('a join', () => {
  it.each([
    [
      'five hundred residents and fifty thousand patients',
      { left: residents(49_800, 50_300), right: patients(0, 50_000) },
    ],
    [
      'fifty thousand residents and five hundred patients',
      { left: residents(0, 50_000), right: patients(49_800, 50_300) },
    ],
  ])('matches %s', async (_, rows) => {
    const { answer } = await ask({ job: helped, rows });
    expect(answer.rows).toMatchObject([{ people: { value: 200 } }]);
    expect(answer.rows).toEqual(plain({ job: helped, rows }).rows);
    const { told } = await ask({ job: matches, rows });
    expect(told.camden!.matches!.map((row) => rows.left[row])).toEqual(
      rows.left.slice(-500).filter((_, i) => (rows.left.length > 500 ? i >= 300 : i < 200)),
    );
  });

  it.each([
    ['an elliptic curve', 100],
    ['an extension, above 512 elements', 1_100],
  ] as const)('reveals matches over %s', async (_, size) => {
    const rows = { left: residents(0, size), right: patients(size - 40, 2 * size) };
    const { answer, told } = await ask({ job: matches, rows });
    expect(told.camden!.matches).toEqual(people(size - 40, size));
    expect(told['ncl-health']!.matches).toBeUndefined();
    expect(answer.rows).toMatchObject([{ people: { value: 40 } }]);
  });
});

describe('a join over a bad network', () => {
  const faultsOf = (seed: number): Faults => {
    const parties = ['camden', 'ncl-health'];
    const all: Faults[] = [
      { loss: 0.02 },
      { repeat: 0.02 },
      { reorder: 0.05 },
      { delay: 0.5 },
      { corrupt: 0.02 },
      { cut: 0.02 },
      { crash: { party: parties[seed % 2]!, atStep: 1 + seed } },
    ];
    return all[seed % all.length]!;
  };

  it.each([
    ['hidden', hidden, {}, 21],
    ['with a helper', helped, {}, 63],
    ['that reveals its matches over an extension', matches, { setClass: 21 }, 21],
    ['that reveals its matches over an elliptic curve', matches, {}, 7],
  ] as [string, string, Partial<JoinRun>, number][])(
    '%s ends with the right answer or a typed error',
    async (_, job, options, seeds) => {
      const right = plain({ job: hidden }).rows[0]!.people;
      let answered = 0;
      for (let seed = 0; seed < seeds; seed++) {
        const outcome = await run({ job, seed, faults: faultsOf(seed), ...options });
        const errors = [...outcome.outcomes.values()].flatMap((each) => ('error' in each ? [each.error] : []));
        for (const error of errors) expect(isFolkmootError(error), String(error)).toBe(true);
        const found = outcome.told.camden!.matches;
        if (found !== undefined) expect(found).toEqual(people(20, 60));
        if (errors.length > 0) continue;
        expect((await answerOf(outcome)).rows[0]!.people).toEqual(right);
        answered += 1;
      }
      expect(answered).toBeGreaterThan(seeds / 8);
      expect(answered).toBeLessThan(seeds);
    },
  );
});

describe('a peer that keeps to no protocol', () => {
  const flip = (record: Uint8Array, place: number) => {
    const changed = record.slice();
    changed[headerBytes + ((17 * place) % (record.length - headerBytes))]! ^= 1 << (place % 8);
    return changed;
  };
  it.each([
    ['cuts', (record: Uint8Array) => record.subarray(0, Math.max(headerBytes, record.length - 1)), 0],
    ['extends', (record: Uint8Array) => Uint8Array.of(...record, 0), 1],
    ['changes', flip, 2],
  ])('%s one message, here or there, and the join comes to an end', async (kind, changed, first) => {
    for (const [job, options] of [
      [hidden, {}],
      [helped, {}],
      [matches, { setClass: 21 }],
    ] as [string, Partial<JoinRun>][]) {
      const { sent } = await run({ job, ...options });
      for (let place = first; place < sent.length; place += 4) {
        const change: JoinRun['change'] = ({ record }, n) => (n === place ? changed(record, place) : record);
        const { outcomes } = await run({ job, ...options, change });
        const errors = [...outcomes.values()].flatMap((each) => ('error' in each ? [each.error] : []));
        for (const error of errors) expect(isFolkmootError(error), String(error)).toBe(true);
        if (kind !== 'changes') expect(errors.length, `message ${place}`).toBeGreaterThan(0);
      }
    }
  });
});
