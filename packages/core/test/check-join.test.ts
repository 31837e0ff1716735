/** What a join means under a charter, and each way in which it is refused before anyone is asked. @module */
import { describe, expect, it } from 'vitest';
import { type Charter, parseCharter } from '../src/query/charter.ts';
import type { CheckedJob } from '../src/query/check-job.ts';
import { datasetOf } from '../src/query/checked-join.ts';
import { columnsOf } from '../src/query/condition.ts';
import { disclose } from '../src/query/disclose.ts';
import { layout } from '../src/query/encode.ts';
import { parseJob } from '../src/query/job.ts';
import { compile } from '../src/query/local.ts';
import { strictnessOf } from '../src/query/strictness.ts';
import { charter, charterWith, checkedJob, joinYaml, replaced } from './consortium.ts';
import { refusalOf } from './refusal.ts';

type Change = readonly [string, string];
const joined = (changes: readonly Change[] = [], under: Charter = charter): CheckedJob =>
  checkedJob(replaced(joinYaml, changes), under);
const under = (...changes: readonly Change[]): Charter => parseCharter(charterWith(...changes), 'charter.yaml');
const refused = (changes: readonly Change[], by: Charter = charter) => refusalOf(() => joined(changes, by));
const also = (lines: string): Change => ['measures:', `${lines}\nmeasures:`];
const measuring = (measure: string): Change => ['{ mean: right.annual_cost }', measure];

/** Several rows a person at both sides, of which neither is the unit of its dataset. */
const visits = under(
  [
    'nhs_number: { type: identifier, normalise: digits }',
    'nhs_number: { type: identifier, normalise: digits, max_rows_per_key: 2 }',
  ],
  [
    'nhs_number:  { type: identifier, normalise: digits }',
    'nhs_number:  { type: identifier, normalise: digits }\n      spell:       { type: identifier }',
  ],
  ['unit: nhs_number\n    max_rows_per_unit: 1', 'unit: nhs_number\n    max_rows_per_unit: 3'],
);

describe('a join', () => {
  it('is a job over the pairs of rows with one key', () => {
    const checked = joined();
    expect(checked.dataset).toMatchObject({
      name: 'residents and patients',
      unit: 'left.nhs_number',
      max_rows_per_unit: 1,
      max_parties_per_unit: 1,
      // No more than either side has rows.
      max_rows: 500_000,
    });
    expect(checked.dataset.columns['left.tenure']).toBe(charter.datasets.residents!.columns.tenure);
    expect(checked.dataset.columns['right.annual_cost']).toBe(charter.datasets.patients!.columns.annual_cost);
    expect(checked).toMatchObject({
      job: { from: 'residents and patients', parties: ['camden', 'ncl-health'] },
      parties: ['camden', 'ncl-health'],
      contributors: ['camden and ncl-health'],
      cells: 4,
      helper: null,
      join: {
        left: { party: 'camden', key: 'nhs_number', rowsPerKey: 1 },
        right: { party: 'ncl-health', key: 'nhs_number', rowsPerKey: 1 },
        permission: { permitted_by: 'Caldicott Guardian', reference: 'DSA-2026-014' },
        reveal: null,
      },
    });
    expect(datasetOf(checked, 'camden')).toBe(charter.datasets.residents);
    expect(datasetOf(checked, 'ncl-health')).toBe(charter.datasets.patients);
  });

  it('is computed from the sums that a pooled job over the pairs would be, of one contributor', () => {
    const checked = joined([also('min_group: 10')]);
    const strictness = strictnessOf(checked, []);
    const query = compile(checked, 'camden', strictness);
    expect(query.ownParty).toBeNull();
    expect(query.columns).toEqual(['left.tenure', 'left.arrears', 'right.annual_cost']);
    expect(query.statistics.map(({ of, product }) => [of, ...product])).toEqual(
      expect.arrayContaining([['rows'], ['rows', 'left.arrears'], ['rows', 'right.annual_cost']]),
    );
    const disclosure = disclose({ checked, query, strictness });
    expect(disclosure.inputs.every(({ party }) => party === null)).toBe(true);
    expect(disclosure.bounds[query.statistics.findIndex(({ product }) => product.length === 0)]).toBe(500_000n);
    expect(layout(query, checked.dataset, checked.contributors).cells).toBe(4);
  });

  it('takes conditions, groups and measures of either side, and across the two', () => {
    const lines = [
      'where: { left.age: { gte: 18 }, year(left.moved_in): { lt: 2020 }, any: [{ right.conditions: { gt: 3 } }, { left.employed: { eq: true } }] }',
      'having: { people: { gte: 10 } }',
    ].join('\n');
    const measures = [
      'r: { correlation: [left.arrears, right.annual_cost] }',
      '  fit: { regression: { y: right.annual_cost, x: [left.arrears, left.age, right.conditions] } }',
      '  burden: { ratio: [left.arrears, right.annual_cost] }',
      '  costs: { histogram: { of: right.annual_cost, bins: [0, 100, 1000] } }',
      '  typical: { median: { of: right.annual_cost, bins: { from: 0, to: 100000, width: 10000 } } }',
      '  t: { t_test: { of: right.annual_cost, by: left.employed } }',
      '  table: { chi_square: [left.tenure, right.sex] }',
      '  ill: { count: { where: { right.conditions: { gt: 3 } } } }',
      '  arrears:',
    ].join('\n');
    const groups: Change = ['[left.tenure]', '[left.tenure, year(left.moved_in), right.sex]'];
    const checked = joined([also(lines), ['arrears:', measures], groups]);
    expect(checked.cells).toBe(4 * 77 * 2);
    expect(columnsOf(checked.where).sort()).toEqual(['left.age', 'left.employed', 'left.moved_in', 'right.conditions']);
    expect(() => disclose({ checked, query: compile(checked), strictness: strictnessOf(checked, []) })).not.toThrow();
  });

  it('counts the rows of a key by the unit, by what is declared, or as one', () => {
    const checked = joined([], visits);
    expect(checked.join).toMatchObject({ left: { rowsPerKey: 2 }, right: { rowsPerKey: 3 } });
    expect(checked.dataset).toMatchObject({ max_rows_per_unit: 6, max_rows: 500_000 * 3 });
    const undeclared = joined([
      ['dataset: patients', 'dataset: residents'],
      ['party: ncl-health', 'party: hackney'],
      ['mean: right.annual_cost', 'mean: right.age'],
    ]);
    expect(undeclared.join).toMatchObject({ left: { rowsPerKey: 1 }, right: { rowsPerKey: 1, party: 'hackney' } });
    expect(undeclared.dataset.name).toBe('residents and residents');
  });

  it('names its parties as its sides, in any order, or not at all', () => {
    const plain = joined();
    expect(joined([also('parties: [ncl-health, camden]')]).parties).toEqual(plain.parties);
    expect(refused([also('parties: [camden, hackney]')])).toMatchObject({ code: 'BAD_VALUE', field: 'parties' });
    expect(refused([also('parties: [camden]')])).toMatchObject({ code: 'BAD_VALUE', field: 'parties' });
  });

  it('is refused among more than two parties', () => {
    const refusal = refused([also('parties: [camden, hackney, ncl-health]')]);
    expect(refusal).toMatchObject({ code: 'NOT_SUPPORTED', field: 'parties' });
    expect(refusal.remedy).toContain('two parties at a time');
  });

  it('may have a helper that is neither side, under protection too', () => {
    expect(joined([also('join_helper: hackney')]).helper).toBe('hackney');
    const both = under(['unit: person ', 'unit: nhs_number ']);
    expect(joined([also('join_helper: hackney\nprivacy: { epsilon: 1 }')], both).helper).toBe('hackney');
    for (const side of ['camden', 'ncl-health']) {
      const refusal = refused([also(`join_helper: ${side}`)]);
      expect(refusal).toMatchObject({ code: 'HELPER_TAKES_PART', field: 'join_helper' });
    }
  });

  it.each([
    ['an unknown party', [['party: camden', 'party: lambeth']], 'UNKNOWN_PARTY', 'join.left.party'],
    ['an unknown dataset', [['dataset: patients', 'dataset: patience']], 'UNKNOWN_DATASET', 'join.right.dataset'],
    [
      'a dataset that the party does not hold',
      [['party: ncl-health', 'party: hackney']],
      'NOT_HELD',
      'join.right.dataset',
    ],
    [
      'one party on both sides',
      [['party: ncl-health, dataset: patients', 'party: camden, dataset: residents']],
      'DUPLICATE_PARTY',
      'join.right.party',
    ],
    ['a key that one side lacks', [['on: nhs_number', 'on: person']], 'UNKNOWN_COLUMN', 'join.on'],
    ['a key that is no identifier', [['on: nhs_number', 'on: tenure']], 'WRONG_TYPE', 'join.on'],
    ['an identifier as a measure', [measuring('{ sum: right.nhs_number }')], 'WRONG_TYPE', 'measures.mean_cost.sum'],
    ['an identifier as a filter', [also('where: { left.person: { eq: 7 } }')], 'WRONG_TYPE', 'where.left.person'],
    ['an identifier as a group', [['[left.tenure]', '[right.nhs_number]']], 'WRONG_TYPE', 'group_by[0]'],
    ['a column without its side', [measuring('{ mean: annual_cost }')], 'UNKNOWN_COLUMN', 'measures.mean_cost.mean'],
    [
      'a column of the other side',
      [measuring('{ mean: left.annual_cost }')],
      'UNKNOWN_COLUMN',
      'measures.mean_cost.mean',
    ],
    [
      'cells over the limit',
      [['[left.tenure]', '[left.tenure, left.age, right.conditions]']],
      'TOO_MANY_CELLS',
      'group_by',
    ],
    ['an unknown purpose', [['purpose: homelessness-prevention', 'purpose: gossip']], 'UNKNOWN_PURPOSE', 'purpose'],
  ] as const)('is refused with %s', (_, changes, code, field) => {
    expect(refused(changes)).toMatchObject({ code, field });
  });

  it('may have 1,000 cells and not one more', () => {
    const of = (values: number) =>
      under(['[owner, private, social, temporary]', `[${Array.from({ length: values }, (_, at) => `v${at}`)}]`]);
    const groups: Change = ['[left.tenure]', '[left.tenure, right.sex]'];
    expect(joined([groups], of(500)).cells).toBe(1_000);
    expect(refused([groups], of(501))).toMatchObject({ code: 'TOO_MANY_CELLS', field: 'group_by' });
  });

  it('says how a column is written, where it stands without its side', () => {
    expect(refused([measuring('{ mean: annual_cost }')]).remedy).toContain('right.annual_cost');
    expect(refused([also('where: { nhs_number: { eq: 1 } }')]).remedy).toContain('left.nhs_number or right.nhs_number');
  });

  it('needs the charter’s permission for this pair and this key', () => {
    const pairs = '[camden, ncl-health], ';
    const refusal = refused([], under([pairs, '']));
    expect(refusal).toMatchObject({ code: 'NO_MATCHING', field: 'join.on' });
    expect(refusal.message).toContain('camden and ncl-health on `nhs_number`');
    expect(refusal.remedy).toContain('`matching`');
    // In either order.
    expect(joined([], under([pairs, '[ncl-health, camden], '])).join!.permission.permitted_by).toBe(
      'Caldicott Guardian',
    );
    const byPerson = under(['      conditions:', '      person:      { type: identifier }\n      conditions:']);
    expect(refused([['on: nhs_number', 'on: person']], byPerson)).toMatchObject({ code: 'NO_MATCHING' });
  });

  it('matches only identifiers of one form', () => {
    const other = under([
      'nhs_number:  { type: identifier, normalise: digits }',
      'nhs_number:  { type: identifier, normalise: upper-alnum }',
    ]);
    const refusal = refused([], other);
    expect(refusal).toMatchObject({ code: 'KEYS_DIFFER', field: 'join.on' });
    expect(refusal.message).toContain('`normalise: digits` in `residents`, and `normalise: upper-alnum` in `patients`');
    const checkedForm = under([
      'nhs_number:  { type: identifier, normalise: digits }',
      'nhs_number:  { type: identifier, normalise: digits, check: nhs }',
    ]);
    expect(refused([], checkedForm).message).toContain('`check: nhs`');
    const number = under(['nhs_number:  { type: identifier, normalise: digits }', 'nhs_number:  { type: identifier }']);
    expect(refused([], number)).toMatchObject({ code: 'KEYS_DIFFER' });
  });

  it('is held to the charter’s number of parties, and not to the three of an exact pooled answer', () => {
    expect(() => joined()).not.toThrow();
    const refusal = refused([], under(['min_parties: 2', 'min_parties: 3']));
    expect(refusal).toMatchObject({ code: 'TOO_FEW_PARTIES', field: 'join' });
  });

  it('has a limited number of rows a person', () => {
    const many = (rows: number) =>
      under(['unit: nhs_number\n    max_rows_per_unit: 1', `unit: nhs_number\n    max_rows_per_unit: ${rows}`]);
    expect(joined([], many(100)).dataset.max_rows_per_unit).toBe(100);
    expect(refused([], many(101))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'datasets.patients.max_rows_per_unit',
    });
  });

  it('cannot withhold what few people make up, and says so before it runs', () => {
    const rule = { n: 1, share: 0.8 };
    const floor = under(['min_group: 5 }', 'min_group: 5, dominance: { n: 1, share: 0.8 } }']);
    expect(refused([], floor)).toMatchObject({ code: 'NOT_SUPPORTED', field: 'measures.mean_cost' });
    const checked = joined();
    const strictness = strictnessOf(checked, [{ min_group: 5, dominance: rule }]);
    expect(refusalOf(() => compile(checked, null, strictness))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field: 'measures.mean_cost',
    });
    const tested = joined([
      measuring('count'),
      ['{ sum: left.arrears }', 'count'],
      also('having: { m: { of: { sum: left.age }, gt: 1 } }'),
    ]);
    expect(refusalOf(() => compile(tested, null, strictness)).field).toBe('having.m.of');
    // Counts, and what protects people otherwise, stay.
    const counts = joined(
      [measuring('{ mean: left.employed }'), ['{ sum: left.arrears }', '{ chi_square: [left.tenure, right.sex] }']],
      floor,
    );
    expect(() => compile(counts)).not.toThrow();
    const lenient = under(
      ['min_group: 5 }', 'min_group: 5, dominance: { n: 1, share: 0.8 } }'],
      ['unit: person ', 'unit: nhs_number '],
    );
    expect(() => compile(joined([also('privacy: { epsilon: 1 }')], lenient), null, strictness)).not.toThrow();
  });
});

describe('a protected join', () => {
  const protecting = also('privacy: { epsilon: 1 }');

  it('needs a bound on the rows of a key at both sides', () => {
    const refusal = refused([protecting]);
    expect(refusal).toMatchObject({
      code: 'SENSITIVITY_UNKNOWN',
      field: 'datasets.residents.columns.nhs_number.max_rows_per_key',
    });
    expect(refusal.remedy).toContain('max_rows_per_key');
    expect(joined([protecting], visits).dataset).toMatchObject({ lenient: true, max_rows_per_unit: 6 });
  });

  it('refuses nothing because of a record, at either side', () => {
    const { join, dataset } = joined([protecting], visits);
    for (const { dataset: own } of [join!.left, join!.right])
      expect(own).toMatchObject({ lenient: true, extra_rows: 'keep_first' });
    expect(dataset.columns['right.annual_cost']).toMatchObject({ nulls: 'drop', outside: 'clamp' });
    // Rows over `max_rows` are not refused; sets over the largest class are.
    expect(dataset.max_rows).toBe(2 ** 22 * 6);
  });
});

describe('a join that reveals its matches', () => {
  const plain = `folkmoot: 1
purpose: homelessness-prevention
join:
  left:  { party: camden, dataset: residents }
  right: { party: ncl-health, dataset: patients }
  on: nhs_number
reveal: matches
measures: { people: count }
`;
  const revealing = (...changes: readonly Change[]) => checkedJob(replaced(plain, changes));

  it('counts people, under conditions on either side', () => {
    expect(revealing().join!.reveal).toBe('matches');
    const both =
      'where: { left.age: { gte: 18 }, right.conditions: { gt: 2 }, any: [{ left.tenure: { eq: temporary } }, { left.employed: { eq: false } }] }';
    expect(() => revealing(also(both))).not.toThrow();
    expect(() => revealing(also('group_by: []\ntotal: false\nmin_group: 10'))).not.toThrow();
  });

  it.each([
    ['another measure', ['people: count', 'people: count, cost: { sum: right.annual_cost }'], 'measures.cost'],
    [
      'a count of its own condition',
      ['people: count', 'people: { count: { where: { left.age: { gt: 3 } } } }'],
      'measures.people',
    ],
    ['groups', also('group_by: [left.tenure]'), 'group_by'],
    ['a condition on groups', also('having: { people: { gt: 3 } }'), 'having'],
    ['a choice of groups', also('top: { by: people, count: 1 }'), 'top'],
    ['a total', also('total: true'), 'total'],
    ['protection', also('privacy: { epsilon: 1 }'), 'privacy'],
    ['a helper', also('join_helper: hackney'), 'join_helper'],
    [
      'a condition across the sides',
      also('where: { any: [{ left.age: { gt: 3 } }, { right.conditions: { gt: 3 } }] }'),
      'where',
    ],
    [
      'what is not met on both sides',
      also('where: { not: { left.age: { gt: 3 }, right.conditions: { gt: 3 } } }'),
      'where',
    ],
  ] as const)('has no place for %s', (_, change, field) => {
    const charterOf = field === 'privacy' ? visits : charter;
    expect(refusalOf(() => checkedJob(replaced(plain, [change]), charterOf))).toMatchObject({
      code: 'NOT_SUPPORTED',
      field,
    });
  });

  it('reveals nothing else, and nothing without a join', () => {
    const parsed = (text: string) => refusalOf(() => parseJob(text, 'job.yaml'));
    expect(parsed(replaced(plain, [['reveal: matches', 'reveal: values']]))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'reveal',
    });
    const pooled =
      'folkmoot: 1\npurpose: homelessness-prevention\nfrom: residents\nreveal: matches\nmeasures: { n: count }\n';
    expect(refusalOf(() => checkedJob(pooled))).toMatchObject({ code: 'BAD_VALUE', field: 'reveal' });
  });
});

describe('a dictionary', () => {
  it('bounds the rows of a key but where the key is the unit', () => {
    const text = charterWith([
      'person:     { type: identifier }',
      'person:     { type: identifier, max_rows_per_key: 2 }',
    ]);
    expect(refusalOf(() => parseCharter(text, 'c'))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'datasets.residents.columns.person.max_rows_per_key',
    });
    for (const wrong of ['0', '1.5', 'many', '1000001']) {
      const given = charterWith([
        'nhs_number: { type: identifier,',
        `nhs_number: { type: identifier, max_rows_per_key: ${wrong},`,
      ]);
      expect(refusalOf(() => parseCharter(given, 'c'))).toMatchObject({ code: 'BAD_VALUE' });
    }
  });
});
