/**
 * What a party sees of a join: as many messages, as long and in the same order, whatever the records hold and whoever is
 * filtered out; and nothing of a record in any of them.
 */
import { found, word } from '@folkmoot/testkit/guises.js';
import { describe, expect, it } from 'vitest';
import type { Row } from '../src/query/record.ts';
import {
  ask,
  headerBytes,
  type JoinOutcome,
  type JoinRun,
  jobOf,
  nhs,
  openingsOf,
  patient,
  people,
  resident,
  run,
  type Sides,
  several,
  town,
} from './join-run.ts';

const measures = `measures:
  people: count
  owed: { sum: left.arrears }
  cost: { mean: right.annual_cost }
`;
const across = `${measures}  r: { correlation: [left.income, right.conditions] }
`;
const grouped = `where: { left.age: { between: [18, 30] }, right.conditions: { gte: 5 } }
group_by: [left.tenure]
`;
const chosen = `${grouped}having: { people: { gte: 2 } }
top: { by: owed, count: 2 }
`;

/** As many rows at either side, of other people: all in both, nobody in both, everyone filtered out, everyone alike. */
const others: readonly (readonly [string, Sides])[] = [
  [
    'all of the left are at the right',
    { left: people(20, 80).map((p) => resident(p, 5)), right: people(20, 100).map((p) => patient(p, 6)) },
  ],
  [
    'nobody is in both',
    { left: people(0, 60).map((p) => resident(p, 7)), right: people(60, 140).map((p) => patient(p, 8)) },
  ],
  [
    'nobody meets a condition, or has a number',
    {
      left: people(0, 60).map((p) => resident(p, 9, { age: 2, nhs_number: p % 2 === 0 ? null : nhs(p) })),
      right: people(0, 80).map((p) => patient(p, 9, { conditions: 0 })),
    },
  ],
  [
    'all are alike',
    {
      left: people(0, 60).map((p) => resident(p, 1, { age: 20, tenure: 'social', arrears: null, income: null })),
      right: people(0, 80).map((p) => patient(p, 1, { conditions: 9, annual_cost: '0', sex: 'male' })),
    },
  ],
  [
    'people have several rows',
    {
      left: people(0, 60).map((p) => resident(p >> 1, p)),
      right: people(0, 80).map((p) => patient(Math.floor(p / 3), p)),
    },
  ],
];

/** Everything of the traffic but what the messages say: who to whom, in which fork under which label, and how long. */
function shapeOf({ sent }: JoinOutcome): string[] {
  return sent.map(({ from, to, record }) => {
    const head = Buffer.from(record.subarray(0, headerBytes)).toString('hex');
    return `${from} ${to} ${head} ${record.length}`;
  });
}

describe('the messages of a join', () => {
  it.each([
    ['with a helper', `join_helper: hackney\n${chosen}${measures}`, {}, others],
    ['with a helper, without groups', `join_helper: hackney\n${across}`, {}, others.slice(1, 3)],
    ['between the two alone', `${grouped}${measures}`, {}, others.slice(2, 3)],
    [
      'that reveals matches',
      'where: { left.age: { gte: 18 } }\nreveal: matches\nmeasures: { n: count }',
      { setClass: 21 },
      others.slice(2, 3),
    ],
  ] as [string, string, Partial<JoinRun>, typeof others][])(
    '%s are as many, as long and in the same order for other records',
    async (_, lines, options, alternatives) => {
      // Another job with the same records would have another id, and all else the same.
      const common = { job: jobOf(lines), charter: several, setClass: 18, ...options };
      const first = await ask(common);
      const expected = shapeOf(first);
      expect(expected.length).toBeGreaterThan(20);
      for (const [, rows] of alternatives) {
        const second = await ask({ ...common, rows });
        expect(second.answer).not.toEqual(first.answer);
        expect(shapeOf(second)).toEqual(expected);
        // What they say is another matter.
        const bytesOf = ({ sent }: JoinOutcome) => Buffer.concat(sent.map(({ record }) => record));
        expect(bytesOf(second).equals(bytesOf(first))).toBe(false);
      }
    },
  );

  it.each([
    ['hidden', jobOf(`join_helper: hackney\n${across}`), {}],
    ['that reveals matches', jobOf('reveal: matches\nmeasures: { n: count }'), { setClass: 21 }],
    ['that is protected', jobOf(`join_helper: hackney\n${measures}privacy: { epsilon: 1 }`), {}],
  ] as [string, string, Partial<JoinRun>][])(
    '%s hold no identifier, no value and no sum of one side',
    async (_, job, options) => {
      const left = town.left.map((row, i) => ({ ...row, arrears: `${13_001 + i}.37` }));
      const rows: Sides = { left, right: town.right };
      const { sent, told, outcomes } = await run({ job, rows, charter: several, ...options });
      const messages = Buffer.concat(sent.map(({ record }) => Buffer.from(record.subarray(headerBytes))));
      expect(messages.length).toBeGreaterThan(50_000);
      const inPence = (amounts: readonly unknown[]) =>
        amounts.reduce((total: bigint, amount) => total + BigInt(String(amount).replace('.', '')), 0n);
      const totals = [rows.left.map((row) => row.arrears), rows.right.map((row) => row.annual_cost)].map(inPence);
      const matched = inPence(left.slice(20).map((row) => row.arrears));
      const isSought = ({ nhs_number }: Row) => Number(nhs_number) % 6 === 1;
      const secrets: [string, Buffer][] = [
        ...[...rows.left, ...rows.right]
          .filter(isSought)
          .map((row): [string, Buffer] => [`identifier ${row.nhs_number}`, Buffer.from(String(row.nhs_number))]),
        ...left.filter(isSought).flatMap(({ arrears }): [string, Buffer][] => [
          [`amount ${arrears}`, Buffer.from(String(arrears))],
          [`amount ${arrears} as a word`, word(BigInt(String(arrears).replace('.', '')))],
        ]),
        ...[...totals, matched].map((total): [string, Buffer] => [`sum ${total}`, word(total)]),
      ];
      expect(found(messages, secrets)).toEqual([]);
      // They would be found, and the left party is told what is for it.
      expect(found(Buffer.concat([messages, Buffer.from(nhs(31))]), secrets)).toEqual([
        `identifier ${nhs(31)}`,
        `identifier ${nhs(31)}`,
      ]);
      expect(openingsOf(outcomes).length).toBeGreaterThan(1);
      expect(told.camden!.matches?.length).toBe(job.includes('reveal') ? 40 : undefined);
    },
  );
});
