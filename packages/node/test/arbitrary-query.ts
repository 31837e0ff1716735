/**
 * Any dataset, its rows as texts, and any local query or side of a join over them: what SQL has to answer like core's
 * `evaluate` and `sideRecords`.
 * @module
 */
import type { Condition } from '@folkmoot/core/condition.js';
import { boundsOf, type Column, type Dataset, labelsOf } from '@folkmoot/core/dictionary.js';
import type { GroupKey } from '@folkmoot/core/group-key.js';
import type { Feature, SideQuery } from '@folkmoot/core/join-query.js';
import type { LocalQuery, Statistic } from '@folkmoot/core/statistic.js';
import fc from 'fast-check';

/** By the dictionary's names; null where nothing stands. */
export type TextRow = Readonly<Record<string, string | null>>;

export interface Case {
  readonly dataset: Dataset;
  readonly rows: readonly TextRow[];
  readonly query: LocalQuery;
  readonly ownParty: boolean;
}

const nulls = fc.constantFrom('drop', 'zero', 'refuse');
const outside = fc.constantFrom('clamp', 'refuse');
const bound = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -50, max: 50 }).map(BigInt) },
  { weight: 2, arbitrary: fc.bigInt({ min: -(10n ** 17n), max: 10n ** 17n }) },
  { weight: 1, arbitrary: fc.bigInt({ min: -(10n ** 33n), max: 10n ** 33n }) },
);
const bounds = fc
  .tuple(bound, bound)
  .map(([a, b]) => (a < b ? { min: `${a}`, max: `${b}` } : { min: `${b}`, max: `${a}` }));

const columnArbitrary = fc
  .oneof(
    fc.record({ type: fc.constant('integer'), bounds, nulls, outside }),
    fc.record({ type: fc.constant('decimal'), scale: fc.integer({ min: 0, max: 4 }), bounds, nulls, outside }),
    fc.record({ type: fc.constant('boolean'), nulls }),
    fc.record({
      type: fc.constant('category'),
      values: fc.uniqueArray(fc.constantFrom('owner', 'social', "o'wner", 'a,"b"', 'é😀', '7'), { minLength: 1 }),
      nulls: fc.constantFrom('drop', 'refuse'),
    }),
    fc.record({
      type: fc.constant('date'),
      min: fc.constantFrom('1999-07-01', '2000-02-29'),
      max: fc.constantFrom('2003-06-30', '2004-12-31'),
      nulls: fc.constantFrom('drop', 'refuse'),
      outside,
    }),
  )
  .map((made) => {
    if (!('bounds' in made)) return made as Column;
    const { bounds: both, ...rest } = made;
    return { ...rest, ...both } as Column;
  });

const unitNames = ['12', '1-2', ' 12', 'a3', '3', '4'];

const datasetArbitrary: fc.Arbitrary<Dataset> = fc.record({
  name: fc.constant('residents'),
  held_by: fc.constant(['camden']),
  unit: fc.constantFrom('row', 'person'),
  max_rows_per_unit: fc.integer({ min: 1, max: 3 }),
  extra_rows: fc.constantFrom('keep_first' as const, 'refuse' as const),
  max_parties_per_unit: fc.constant(1),
  max_rows: fc.constantFrom(40, 500_000, 1_000_000_000),
  columns: fc.array(columnArbitrary, { minLength: 1, maxLength: 4 }).chain((columns) =>
    fc
      .constantFrom<'digits' | 'upper-alnum' | 'nfkc-lower' | undefined>(
        'digits',
        'upper-alnum',
        'nfkc-lower',
        undefined,
      )
      .map((normalise) => ({
        person: (normalise === undefined ? { type: 'identifier' } : { type: 'identifier', normalise }) as Column,
        ...Object.fromEntries(columns.map((column, index) => [`c${index}`, column])),
      })),
  ),
});

/** A text that the dictionary allows for the column. */
function textOf(column: Column): fc.Arbitrary<string | null> {
  const arbitrary = valueTextOf(column);
  const mayBeNull = column.type !== 'identifier' && column.nulls !== 'refuse';
  return mayBeNull ? fc.option(arbitrary, { freq: 4 }) : arbitrary;
}

function valueTextOf(column: Column): fc.Arbitrary<string> {
  switch (column.type) {
    case 'identifier':
      return fc.constantFrom(...unitNames);
    case 'boolean':
      return fc.constantFrom('true', 'false', 't', 'f', '1', '0', 'TRUE', 'False');
    case 'category':
      return fc.constantFrom(...column.values);
    case 'date': {
      const days = ['2000-02-29', '2001-12-31', '2002-01-01 00:00:00', '2003-06-30'];
      return fc.constantFrom(...days, ...(column.outside === 'clamp' ? ['1000-01-01', '9999-12-31'] : []));
    }
    case 'integer':
    case 'decimal': {
      const { min, max } = boundsOf(column);
      const scale = column.type === 'decimal' ? column.scale : 0;
      const within = fc.bigInt({ min, max });
      const beyond = fc.oneof(
        within,
        fc.bigInt({ min: min * 3n - 9n, max: max * 3n + 9n }),
        fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }),
      );
      return fc
        .tuple(
          column.outside === 'clamp' ? beyond : within,
          fc.constantFrom('', '+', '0', '00'),
          fc.constantFrom('', '0', '000'),
        )
        .map(([value, lead, tail]) => {
          const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
          const fraction = digits.slice(digits.length - scale) + tail;
          const sign = value < 0n ? '-' : lead === '+' ? '+' : '';
          const whole = (lead === '+' ? '' : lead) + digits.slice(0, digits.length - scale);
          return sign + whole + (fraction === '' ? '' : `.${fraction}`);
        });
    }
  }
}

function rowsArbitrary(dataset: Dataset): fc.Arbitrary<TextRow[]> {
  const row = fc.record(
    Object.fromEntries(Object.entries(dataset.columns).map(([name, column]) => [name, textOf(column)])),
  );
  return fc.array(row, { minLength: 1, maxLength: 30 });
}

function conditionArbitrary(dataset: Dataset): fc.Arbitrary<Condition> {
  const names = Object.keys(dataset.columns).filter((name) => dataset.columns[name]!.type !== 'identifier');
  const leaf: fc.Arbitrary<Condition> = fc.constantFrom(...names).chain((column): fc.Arbitrary<Condition> => {
    const { min, max } = boundsOf(dataset.columns[column]!);
    const value = fc.oneof(
      fc.bigInt({ min: min - 1n, max: max + 1n }),
      fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
    );
    const op = fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte');
    const isDate = dataset.columns[column]!.type === 'date';
    return fc.oneof(
      fc.record({ kind: fc.constant('compare' as const), column: fc.constant(column), op, value }),
      ...(isDate
        ? [
            fc.record({
              kind: fc.constant('compare' as const),
              column: fc.constant(column),
              op,
              value: fc.bigInt({ min: 1990n, max: 2010n }),
              transform: fc.constant('year' as const),
            }),
          ]
        : []),
      fc.record({
        kind: fc.constant('in' as const),
        column: fc.constant(column),
        values: fc.array(value, { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant('is_null' as const), column: fc.constant(column) }),
      fc.record({ kind: fc.constant('present' as const), column: fc.constant(column) }),
    ) as fc.Arbitrary<Condition>;
  });
  return fc.letrec<{ any: Condition }>((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant<Condition>({ kind: 'true' }),
      leaf,
      fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), of: fc.array(tie('any'), { maxLength: 3 }) }),
      fc.record({ kind: fc.constant('not' as const), of: tie('any') }),
    ) as fc.Arbitrary<Condition>,
  })).any;
}

function groupsArbitrary(dataset: Dataset): fc.Arbitrary<GroupKey[]> {
  const keys = Object.entries(dataset.columns).flatMap(([column, rules]) => {
    if (rules.type === 'identifier') return [];
    const transform = rules.type === 'date' ? ('year' as const) : ('value' as const);
    const labels = labelsOf(rules, transform);
    if (labels === undefined || labels.length > 200) return [];
    const { min } = boundsOf(rules);
    return [{ name: column, column, transform, first: transform === 'year' ? min / 10_000n : min, labels }];
  });
  return fc.shuffledSubarray(keys, { maxLength: Math.min(2, keys.length) });
}

/** One statistic, or several of the same totals: their sum and the largest by rank. */
function statisticsArbitrary(dataset: Dataset): fc.Arbitrary<Statistic[]> {
  const numeric = Object.keys(dataset.columns).filter((name) => dataset.columns[name]!.type !== 'identifier');
  return fc
    .tuple(
      fc.constantFrom('rows' as const, 'people' as const, 'totals' as const),
      fc.array(fc.constantFrom(...numeric), { maxLength: 2 }),
      conditionArbitrary(dataset),
      fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 }),
    )
    .map(([of, columns, condition, ranks]): Statistic[] => {
      const product = of === 'people' ? [] : columns;
      const present = product.map((column): Condition => ({ kind: 'present', column }));
      const where: Condition = present.length === 0 ? condition : { kind: 'and', of: [...present, condition] };
      if (of !== 'totals') return [{ of, product, where }];
      return ranks.map((rank) =>
        rank === 0 ? { of: 'magnitude', product, where } : { of: 'top', product, where, rank },
      );
    });
}

export const caseArbitrary: fc.Arbitrary<Case> = datasetArbitrary.chain((made) => {
  const dataset = made.unit === 'row' ? { ...made, max_rows_per_unit: 1 } : made;
  const columns = Object.keys(dataset.columns).filter((name) => name !== 'person');
  return fc.record({
    dataset: fc.constant(dataset),
    rows: rowsArbitrary(dataset),
    ownParty: fc.boolean(),
    query: fc
      .record({
        where: conditionArbitrary(dataset),
        groups: groupsArbitrary(dataset),
        statistics: fc.array(statisticsArbitrary(dataset), { minLength: 1, maxLength: 6 }),
      })
      .map(({ where, groups, statistics }) => ({
        dataset: dataset.name,
        columns,
        where,
        groups,
        cells: groups.reduce((product, key) => product * key.labels.length, 1),
        statistics: statistics.flat(),
        ownParty: null,
      })),
  });
});

export interface SideCase {
  readonly side: SideQuery;
  readonly rows: readonly TextRow[];
}

const keyTexts = ['943 476 5919', '9434765919', '12', '1-2', 'x', '\u0663', '\uff11\uff12', '0', ' ', null];

/** A key that may be the unit or another identifier, and features of 64 bits. */
export const sideArbitrary: fc.Arbitrary<SideCase> = caseArbitrary.chain(({ dataset: made, rows, query }) =>
  fc
    .record({
      key: fc.constantFrom('person', 'nhs'),
      normalise: fc.constantFrom('digits' as const, 'upper-alnum' as const, undefined),
      keys: fc.array(fc.constantFrom(...keyTexts), { minLength: rows.length, maxLength: rows.length }),
    })
    .map(({ key, normalise, keys }): SideCase => {
      const nhs: Column = { type: 'identifier', ...(normalise === undefined ? {} : { normalise }) };
      const dataset: Dataset = { ...made, columns: { ...made.columns, nhs } };
      const magnitude = (name: string): bigint => {
        const { min, max } = boundsOf(dataset.columns[name]!);
        return -min > max ? -min : max;
      };
      const features = query.statistics.flatMap(({ of, product, where }): Feature[] => {
        const bound = product.reduce((all, name) => all * magnitude(name), 1n);
        if ((of !== 'rows' && of !== 'people') || bound >= 1n << 63n) return [];
        return [{ of, product, where, min: -bound, max: bound }];
      });
      const { columns, where, groups, cells } = query;
      const side = { party: 'camden', dataset, key, rowsPerKey: 1, columns, where, groups, cells, features };
      return { side, rows: rows.map((row, at) => ({ ...row, nhs: keys[at]! })) };
    }),
);
