/** Joins that reveal their matches: the left party is told which of its rows', the analyst how many, the right nothing. */
import { describe, expect, it } from 'vitest';
import { ask, type JoinRun, jobOf, nhs, patient, people, resident, type Sides, several } from './join-run.ts';

const asked = (lines = ''): string => jobOf(`reveal: matches\n${lines}measures: { known: count }`);

/** Identifiers in different writing, some of no use, and people with several rows, the first of which may not count. */
const rows: Sides = {
  left: [
    ...people(0, 60).map((person) =>
      resident(person, 1, {
        nhs_number: person % 10 === 9 ? null : `${nhs(person).slice(0, 4)} ${nhs(person).slice(4)}`,
        age: person % 4 === 0 ? 12 : 40,
      }),
    ),
    ...people(0, 60).map((person) => resident(person, 2, { age: 50 })),
  ],
  right: [
    ...people(30, 90).map((person) => patient(person, 1, { conditions: person % 6 === 0 ? 0 : 4 })),
    ...people(30, 40).map((person) => patient(person, 2, { conditions: 0 })),
  ],
};
const adultsWithIllness = 'where: { left.age: { gte: 18, lte: 45 }, right.conditions: { gte: 1 } }\n';

/** Runs it, and sees that all but the left party and the analyst are told nothing. */
async function revealed(options: JoinRun) {
  const { answer, told } = await ask({ rows, charter: several, ...options });
  expect(told['ncl-health']!.matches).toBeUndefined();
  const { left } = options.rows ?? rows;
  const found = told.camden!.matches!;
  expect(answer.rows).toEqual([{ known: { value: found.length, exact: String(found.length) } }]);
  return { answer, told, found: found.map((row) => left[row]!) };
}

describe('a join that reveals its matches', () => {
  it('tells the left party the row of each person who meets the conditions at both sides', async () => {
    // Over an extension, whatever the size.
    const { answer, found, told } = await revealed({ job: asked(adultsWithIllness), setClass: 21 });
    const expected = people(30, 60).filter((person) => person % 10 !== 9 && person % 4 !== 0 && person % 6 !== 0);
    expect(found).toEqual(expected.map((person) => rows.left[person]));
    expect(told.camden!.tallies).toEqual([{ seen: 120, empty: 6, malformed: 0, failedCheck: 0 }]);
    expect(told.camden!.phases).toEqual(expect.arrayContaining(['query', 'prepare', 'match', 'open', 'release']));
    expect(answer).toMatchObject({ parties: ['camden', 'ncl-health'], suppressed: 0 });
  });

  it('tells the left party that there are none, and nobody else where so few are withheld', async () => {
    const job = asked('where: { left.age: { gt: 105 } }\n');
    const { answer, told } = await ask({ job, rows, charter: several, setClass: 21, minGroup: 5 });
    expect(told.camden!.matches).toEqual([]);
    expect(answer).toMatchObject({ suppressed: 1, rows: [{ known: { value: null, exact: null, suppressed: true } }] });
  });
});
