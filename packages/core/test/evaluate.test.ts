/**
 * What is decided on shares against the same in the clear: random records, all that a job and its rules can ask for.
 * @module
 */
import { evaluatePlain } from '@folkmoot/testkit/plain-evaluation.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rational } from '../src/algebra/rational.ts';
import { evaluate } from '../src/engine/evaluate.ts';
import { evaluateCost } from '../src/engine/evaluate-cost.ts';
import { type Answer, finishAnswer } from '../src/query/answer.ts';
import { parseCharter } from '../src/query/charter.ts';
import { disclose } from '../src/query/disclose.ts';
import { decode, encode, layout } from '../src/query/encode.ts';
import { inSlots } from '../src/query/input-slot.ts';
import { compile, evaluate as evaluateRows } from '../src/query/local.ts';
import { openedLayout } from '../src/query/opened.ts';
import type { Row } from '../src/query/record.ts';
import type { Strictness } from '../src/query/strictness.ts';
import { open } from '../src/sharing/additive.ts';
import { onShares } from './circuits.ts';
import { charterWith, checkedJob, jobText } from './consortium.ts';

const parties = ['camden', 'hackney', 'islington'];

interface Case {
  readonly text: string;
  readonly rows: readonly (readonly Row[])[];
  readonly strictness: Strictness;
  readonly rowsPerUnit: number;
  readonly partiesPerUnit: number;
}

/** The answer to a case, once on shares and once in the clear, at exactly the cost that was stated. */
async function answered({ text, rows, strictness, rowsPerUnit, partiesPerUnit }: Case): Promise<Answer> {
  const changes: [string, string][] = [
    [
      'max_rows_per_unit: 1\n    max_parties_per_unit: 1 ',
      `max_rows_per_unit: ${rowsPerUnit}\n    max_parties_per_unit: ${partiesPerUnit} `,
    ],
    ['max_rows: 500000 ', 'extra_rows: keep_first\n    max_rows: 500 '],
  ];
  const checked = checkedJob(text, parseCharter(charterWith(...changes), 'charter'));
  const query = compile(checked, null, strictness);
  const disclosure = disclose({ checked, query, strictness });
  const inputs = layout(query, checked.dataset, checked.parties);
  const brought = parties.map((party, at) =>
    inSlots(disclosure.inputs, party, evaluateRows(query, checked.dataset, rows[at]!)),
  );
  const totals = disclosure.inputs.map((_, slot) =>
    brought[0]![slot]!.map((_, cell) => brought.reduce((sum, own) => sum + own[slot]![cell]!, 0n)),
  );
  const results = await onShares(
    encode(inputs, totals),
    (ch, source, shares) => evaluate(ch, source, disclosure, { layout: inputs, shares }),
    { seed: 7 },
    evaluateCost(parties.length, disclosure),
  );
  const arranged = openedLayout(disclosure);
  const vectors = arranged.sections.map((_, section) => open(results.map((own) => own[section]!)));
  const opened = decode(arranged, vectors);
  const plain = evaluatePlain(disclosure, totals);
  const finish = (columns: readonly (readonly bigint[])[]) =>
    finishAnswer({ job: 'ab', checked, disclosure, opened: columns, round: strictness.round });
  const answer = finish(opened);
  expect(answer).toEqual(finish(plain));
  return answer;
}

const row: fc.Arbitrary<Row> = fc.record({
  person: fc.integer({ min: 1, max: 40 }).map((n) => `p${n}`),
  age: fc.integer({ min: 0, max: 110 }),
  tenure: fc.constantFrom('owner', 'owner', 'owner', 'private', 'private', 'social', 'temporary'),
  arrears: fc
    .oneof(fc.integer({ min: 0, max: 500 }), fc.integer({ min: 0, max: 2_000_000 }))
    .map((n) => (n / 100).toFixed(2)),
  income: fc.option(
    fc.integer({ min: 0, max: 25_000_000 }).map((n) => (n / 100).toFixed(2)),
    { nil: null, freq: 8 },
  ),
  employed: fc.boolean(),
  moved_in: fc.constantFrom('2019-05-05', '2020-01-01', '2021-12-31'),
});

const measures = fc
  .subarray(
    [
      'n: count',
      'works: { count: { where: { employed: { eq: true } } } }',
      'owners: { count: { where: { age: { lt: 40 } } } }',
      'total: { sum: arrears }',
      'pay: { mean: income }',
      'share: { mean: employed }',
      'per: { ratio: [arrears, income] }',
      'ages: { histogram: { of: age, bins: [0, 20, 40, 80] } }',
      'typical: { median: { of: arrears, bins: { from: 0, to: 400, width: 50 } } }',
    ],
    { minLength: 1, maxLength: 4 },
  )
  .map((chosen) => `measures: { ${chosen.join(', ')} }`);

const exactOnly = fc.constantFrom(
  '',
  ', spread: { stddev: arrears }',
  ', fit: { regression: { y: arrears, x: [age, employed] } }',
);

const cases: fc.Arbitrary<Case> = fc
  .record({
    rows: fc.tuple(...parties.map(() => fc.array(row, { minLength: 1, maxLength: 40 }))),
    measures,
    exact: exactOnly,
    grouped: fc.constantFrom('', 'group_by: [tenure]', 'group_by: [tenure, employed]'),
    choice: fc.constantFrom(
      '',
      '',
      'open: ratio',
      'having: { heads: { of: count, gte: 8 } }',
      'total: true',
      'top',
      'having mean',
    ),
    minGroup: fc.constantFrom(1, 3, 6),
    round: fc.constantFrom(1, 1, 5),
    dominance: fc.constantFrom(
      [],
      [],
      [{ n: 1, share: rational(1n, 2n) }],
      [
        { n: 1, share: rational(3n, 5n) },
        { n: 2, share: rational(4n, 5n) },
      ],
    ),
    units: fc.constantFrom([1, 1] as const, [1, 2] as const, [2, 1] as const),
  })
  .filter(({ grouped, choice, measures: text, round, exact }) => {
    if ((choice === 'total: true' || choice === 'top') && grouped === '') return false;
    if (choice === 'open: ratio' && !/mean|ratio/.test(text)) return false;
    return round === 1 || exact === '';
  })
  .map(({ rows, measures: text, exact, grouped, choice, minGroup, round, dominance, units }) => {
    const all = text.replace(/ \}$/, `${exact}${choice === 'top' ? ', rank: { sum: arrears }' : ''} }`);
    const chosen =
      choice === 'top'
        ? 'top: { by: rank, count: 2 }'
        : choice === 'having mean'
          ? 'having: { m: { of: { mean: income }, gte: 90000.5, lt: 200000 } }'
          : choice;
    return {
      text: jobText([grouped, all, chosen].filter((line) => line !== '').join('\n')),
      rows,
      strictness: { minGroup, round, dominance },
      rowsPerUnit: units[0],
      partiesPerUnit: units[1],
    };
  });

describe('evaluation on shares', () => {
  it('opens what the same decisions in the clear open, at the cost that was stated', async () => {
    await fc.assert(
      fc.asyncProperty(cases, async (example) => void (await answered(example))),
      {
        numRuns: 60,
        seed: 4711,
      },
    );
  });
});
