/** Joins under differential privacy on the whole road: the exact figures, and both parties' noise, and nothing else. */

import { evaluateJoin } from '@folkmoot/testkit/plain-join.js';
import { describe, expect, it } from 'vitest';
import { partyNoise } from '../src/engine/noise.ts';
import { unpackShares } from '../src/engine/report.ts';
import { decode } from '../src/query/encode.ts';
import { open } from '../src/sharing/additive.ts';
import {
  answerOf,
  type JoinOutcome,
  type JoinRun,
  jobOf,
  noiseKeyOf,
  openingsOf,
  patient,
  people,
  resident,
  run,
  type Sides,
  several,
  sides,
  town,
} from './join-run.ts';

const asked = (epsilon = '1', more = ''): string =>
  jobOf(`join_helper: hackney
where: { left.age: { gte: 5 }, right.conditions: { lte: 18 } }
group_by: [left.tenure]
measures:
  pairs: count
  cost: { mean: right.annual_cost }
${more}privacy: { epsilon: ${epsilon} }`);
const across = `  r: { covariance: [left.income, right.annual_cost] }
  ages: { histogram: { of: left.age, bins: [0, 40, 80] } }
`;

/** What opened, `[part][cell]`. */
function totalsOf({ agreement, outcomes }: JoinOutcome): bigint[][] {
  const { layout, checked } = agreement;
  const shares = openingsOf(outcomes)
    .filter(({ party }) => party !== checked.helper)
    .map(({ party, sealed }) => unpackShares(layout, sealed, party));
  return decode(
    layout,
    layout.sections.map((_, section) => open(shares.map((own) => own[section]!))),
  );
}

/** What opens of the same job if there were no noise, from all pairs one by one. */
function exactOf({ agreement }: JoinOutcome, rows: Sides): bigint[][] {
  const { checked, query, protection } = agreement;
  const sums = evaluateJoin(checked.join!, query, rows);
  return protection!.releases.flatMap(({ parts }) =>
    parts.map((part) =>
      people(0, query.cells).map((cell) =>
        part.reduce((total, [place, coefficient]) => total + coefficient * sums[place]![cell]!, 0n),
      ),
    ),
  );
}

/** What both parties added, by their keys. */
function noiseOf({ agreement }: JoinOutcome): bigint[][] {
  const [left, right] = sides.map((party) =>
    partyNoise({ ...agreement, protection: agreement.protection! }, noiseKeyOf(party), party),
  );
  return left!.map((cells, part) => cells.map((value, cell) => value + right![part]![cell]!));
}

const less = (one: bigint[][], other: bigint[][]): bigint[][] =>
  one.map((cells, part) => cells.map((value, cell) => value - other[part]![cell]!));

/** Up to two rows of a person at the left and three at the right. */
const crowd: Sides = {
  left: [1, 2].flatMap((row) => people(0, 50).map((person) => resident(person, row))),
  right: [1, 2, 3].flatMap((row) => people(10, 60).map((person) => patient(person, row))),
};

describe('a protected join', () => {
  it.each([
    ['little noise', '1'],
    ['much noise', '0.001'],
  ])('opens the exact figures and the noise of both parties, where there is %s', async (_, epsilon) => {
    const outcome = await run({ job: asked(epsilon, across), rows: crowd, charter: several });
    const totals = totalsOf(outcome);
    const lattices = outcome.agreement.protection!.releases.map(({ lattice }) => lattice);
    expect(lattices.some((lattice) => lattice > 1n)).toBe(true);
    const noise = noiseOf(outcome);
    expect(less(totals, noise)).toEqual(exactOf(outcome, crowd));
    // Each number has its own.
    expect(new Set(noise.flat()).size).toBeGreaterThan(noise.flat().length / 2);
  });

  it('has the same figures at a retry, under other masks, and when it is asked again', async () => {
    const asking: JoinRun = { job: asked(), rows: crowd, charter: several };
    const first = await run(asking);
    const totals = totalsOf(first);
    const retry = await run({ ...asking, seed: 2, attempt: 2 });
    const again = await run({ ...asking, seed: 3, nonce: '11'.repeat(16) });
    const unaided = await run({ ...asking, job: asked().replace('join_helper: hackney\n', '') });
    for (const other of [retry, again, unaided]) expect(totalsOf(other)).toEqual(totals);
    const bytesOf = (outcome: JoinOutcome) => openingsOf(outcome.outcomes).map(({ sealed }) => sealed.join());
    const masked = [first, retry, again, unaided].flatMap(bytesOf).filter((bytes) => bytes !== '');
    expect(new Set(masked).size).toBe(8);
    const answer = await answerOf(retry, 2);
    expect(answer).toMatchObject({ privacy: { unit: 'nhs_number', rows_per_unit: 6 } });
    expect(answer.rows).toHaveLength(4);
  });

  it('has other noise where the question is another', async () => {
    const one = await run({ job: asked(), rows: crowd, charter: several });
    const other = await run({ job: asked().replace('gte: 5', 'gte: 6'), rows: crowd, charter: several });
    const [a, b] = [less(totalsOf(one), exactOf(one, crowd)), less(totalsOf(other), exactOf(other, crowd))];
    expect(a.flat().filter((value, at) => value === b.flat()[at]).length).toBeLessThan(a.flat().length / 4);
  });

  const shapeOf = ({ sent }: JoinOutcome) => sent.map(({ from, to, record }) => [from, to, record.length]);
  let usual: ReturnType<typeof shapeOf> | undefined;
  it.each([
    ['the left has no row', { left: [], right: town.right }],
    ['the right has no row', { left: town.left, right: [] }],
    ['neither has one', { left: [], right: [] }],
    ['nobody is in both', { left: crowd.left.slice(0, 10), right: crowd.right.slice(40, 50) }],
    [
      'rows are too many for a person',
      { left: [...crowd.left, ...crowd.left], right: [...crowd.right, ...crowd.right] },
    ],
    [
      'values and identifiers are no use',
      {
        left: crowd.left.map((row, i) => ({
          ...row,
          age: i % 3 === 0 ? 'x' : row.age!,
          tenure: i % 4 === 0 ? null : row.tenure!,
        })),
        right: crowd.right.map((row, i) => ({
          ...row,
          nhs_number: i % 5 === 0 ? null : row.nhs_number!,
          annual_cost: '-',
        })),
      },
    ],
  ] as [string, Sides][])('is answered with noise where %s, as anywhere else', async (_, rows) => {
    const outcome = await run({ job: asked(), rows, charter: several, setClass: 18 });
    expect(less(totalsOf(outcome), noiseOf(outcome))).toEqual(exactOf(outcome, rows));
    // To the other party it looks like any other: so many records of these lengths.
    usual ??= shapeOf(await run({ job: asked(), rows: crowd, charter: several }));
    expect(shapeOf(outcome)).toEqual(usual);
  });
});
