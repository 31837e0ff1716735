/** Joins over bad networks, with bad peers and on bad records: the right answer or a typed error, and never a hang. */
import { describe, expect, it } from 'vitest';
import { isFolkmootError, reportOf } from '../src/channel/errors.ts';
import type { Faults } from '../src/channel/simulate.ts';
import {
  answerOf,
  headerBytes,
  type JoinOutcome,
  type JoinRun,
  jobOf,
  patient,
  people,
  plain,
  resident,
  run,
  type Sides,
  several,
  town,
} from './join-run.ts';

const helped = jobOf('join_helper: hackney\nmeasures: { people: count, cost: { mean: right.annual_cost } }');
/** What every number here that is an identifier begins with. */
const identifier = /90000000/;

/** Whether all have opened; sees that who has not says so in a typed error that names no person. */
function isOpened({ outcomes }: JoinOutcome): boolean {
  const errors = [...outcomes.values()].flatMap((outcome) => ('error' in outcome ? [outcome.error] : []));
  for (const error of errors) {
    expect(isFolkmootError(error), String(error)).toBe(true);
    expect(JSON.stringify(reportOf(error))).not.toMatch(identifier);
  }
  return errors.length === 0;
}

describe('a join', () => {
  it('ends with the right answer or a typed error under every fault, for 28 seeds', async () => {
    const { rows } = plain({ job: helped });
    const parties = ['camden', 'ncl-health', 'hackney'];
    let answered = 0;
    for (let seed = 0; seed < 28; seed++) {
      const faults: Faults[] = [
        { loss: 0.02 },
        { repeat: 0.02 },
        { reorder: 0.05 },
        { delay: 0.5 },
        { corrupt: 0.02 },
        { cut: 0.02 },
        { crash: { party: parties[seed % 3]!, atStep: 1 + 3 * seed } },
      ];
      const outcome = await run({ job: helped, seed, faults: faults[seed % faults.length]! });
      if (isOpened(outcome)) {
        expect((await answerOf(outcome)).rows).toEqual(rows);
        answered += 1;
      }
    }
    expect(answered).toBeGreaterThan(6);
    expect(answered).toBeLessThan(22);
  });

  const cutShort = (record: Uint8Array) => record.subarray(0, Math.max(headerBytes, record.length - 1));
  const extended = (record: Uint8Array) => Uint8Array.of(...record, 0);
  it.each([
    ['too short', cutShort, 0],
    ['too long', extended, 1],
  ])('opens nothing where one message of a peer is %s', async (_, changed, first) => {
    const { sent } = await run({ job: helped });
    for (let place = first; place < sent.length; place += 3) {
      let isChanged = false;
      const change: JoinRun['change'] = ({ record }, n) => {
        if (n !== place) return record;
        isChanged = record.length > headerBytes;
        return changed(record);
      };
      const outcome = await run({ job: helped, change });
      expect(isChanged).toBe(true);
      expect(isOpened(outcome), `message ${place}`).toBe(false);
    }
  });

  it('comes to an end where one bit of a peer’s messages is another', async () => {
    const { sent } = await run({ job: helped });
    for (let place = 2; place < sent.length; place += 3) {
      const change: JoinRun['change'] = ({ record }, n) => {
        if (n !== place) return record;
        const changed = record.slice();
        changed[headerBytes + ((17 * place) % (record.length - headerBytes))]! ^= 1 << (place % 8);
        return changed;
      };
      isOpened(await run({ job: helped, change }));
    }
  });
});

describe('records that cannot be joined', () => {
  const twice = (rows: Sides): Sides => ({ left: rows.left, right: [...rows.right, patient(50, 2)] });
  const many: Sides = {
    left: [1, 2, 3].map((row) => resident(7, row)),
    right: people(0, 9).map((person) => patient(person, 1)),
  };
  const large: Sides = { left: people(0, 600).map((person) => resident(person, 1)), right: town.right };
  const twoOfOne: Sides = {
    left: [...town.left, { ...resident(70, 1), person: 'c1/1' }],
    right: town.right,
  };
  it.each([
    ['a second row of a person', 'ncl-health', { rows: twice(town) }, 'DUPLICATE_IDENTIFIER', 'nhs_number'],
    [
      'more rows of a person than count',
      'camden',
      { rows: many, charter: several },
      'DUPLICATE_IDENTIFIER',
      'nhs_number',
    ],
    ['two rows of the unit', 'camden', { rows: twoOfOne }, 'SOURCE_EXTRA_ROWS', undefined],
    ['no row at the left', 'camden', { rows: { ...town, left: [] } }, 'SOURCE_EMPTY', 'residents'],
    ['no row at the right', 'ncl-health', { rows: { ...town, right: [] } }, 'SOURCE_EMPTY', 'patients'],
    ['more keys than the class holds', 'camden', { rows: large, setClass: 18 }, 'SET_TOO_LARGE', 'nhs_number'],
    [
      'a value of the wrong form',
      'ncl-health',
      { rows: { left: town.left, right: town.right.map((row) => ({ ...row, annual_cost: 'x9' })) } },
      'SOURCE_VALUE',
      'annual_cost',
    ],
  ] as [string, string, Partial<JoinRun>, string, string | undefined][])(
    'end it with %s: its owner is told why, and the other side that it ended',
    async (_, party, options, code, field) => {
      const outcome = await run({ job: helped, ...options });
      expect(isOpened(outcome)).toBe(false);
      expect(outcome.outcomes.get(party)).toMatchObject({ error: { code, ...(field && { field }) } });
      const other = party === 'camden' ? 'ncl-health' : 'camden';
      expect(outcome.outcomes.get(other)).toMatchObject({ error: { code: 'PARTY_FAILED' } });
      // Whoever has to put its identifiers right is told how many of them are no use.
      expect(outcome.told[party]!.tallies).toHaveLength(code.startsWith('SOURCE') ? 0 : 1);
      for (const { released, matches } of Object.values(outcome.told)) {
        expect(released).toEqual([]);
        expect(matches).toBeUndefined();
      }
    },
  );
});
