/** What a plan of a join refuses, and which side it makes the receiver. */
import { describe, expect, it } from 'vitest';
import { Z2_64, Z2_128 } from '../src/algebra/ring.ts';
import { checkJoinRoom, type JoinAgreement, joinOf } from '../src/engine/join-agreement.ts';
import { joinPlan } from '../src/engine/join-plan.ts';
import { type Charter, parseCharter } from '../src/query/charter.ts';
import { layout } from '../src/query/encode.ts';
import type { Feature, JoinQuery, SideQuery } from '../src/query/join-query.ts';
import { termsMax } from '../src/query/join-terms.ts';
import { compile } from '../src/query/local.ts';
import { charterWith, checkedJob, joinYaml, replaced } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const always = { kind: 'true' } as const;
const one: Feature = { of: 'rows', product: [], where: always, min: 1n, max: 1n };
const value = (min: bigint, max: bigint): Feature => ({ of: 'rows', product: ['x'], where: always, min, max });

function side(party: string, cells: number, rowsPerKey: number, ...features: Feature[]): SideQuery {
  const dataset = { name: party, columns: {} } as SideQuery['dataset'];
  return { party, dataset, key: 'id', rowsPerKey, columns: [], where: always, groups: [], cells, features };
}

function query(left: SideQuery, right: SideQuery, terms: readonly (readonly [number, number])[]): JoinQuery {
  return {
    left,
    right,
    terms: terms.map(([left, right], statistic) => ({ statistic, left, right })),
    cellOf: Int32Array.from({ length: left.cells * right.cells }, (_, at) => at),
  };
}

describe('a plan of a join', () => {
  it('refuses what the rows of a key could add up to beyond 64 bits, on either side, and nothing below', () => {
    const most = 2n ** 62n;
    const fits = query(side('a', 1, 1, one), side('b', 1, 3, one, value(-most / 3n, most / 3n)), [[0, 1]]);
    expect(joinPlan(fits, [Z2_128], 'left').columns).toMatchObject([{ kind: 'word' }]);
    const wide = query(side('a', 1, 1, one), side('b', 1, 3, one, value(0n, most)), [[0, 1]]);
    expect(refusalOf(() => joinPlan(wide, [Z2_128], 'left'))).toMatchObject({
      code: 'OVERFLOW',
      field: 'datasets.b.columns.x',
    });
    const below = query(side('a', 1, 1, one), side('b', 1, 3, one, value(-most, 0n)), [[0, 1]]);
    expect(refusalOf(() => joinPlan(below, [Z2_128], 'left'))).toMatchObject({ code: 'OVERFLOW' });
    const own = query(side('a', 1, 3, one, value(0n, most)), side('b', 1, 1, one), [[1, 0]]);
    expect(refusalOf(() => joinPlan(own, [Z2_128], 'left'))).toMatchObject({ code: 'OVERFLOW' });
  });

  it('does not take a number that can only be 0 for one that is always 1', () => {
    const none = query(side('a', 1, 1, one, value(0n, 0n)), side('b', 1, 1, one, value(0n, 0n)), [
      [1, 0],
      [0, 1],
      [0, 0],
    ]);
    const { factors, columns } = joinPlan(none, [Z2_64, Z2_64, Z2_64], 'left');
    expect(factors.map(({ bits }) => bits)).toEqual([1, 0]);
    expect(columns.map(({ kind }) => kind)).toEqual(['match', 'flag']);
  });

  it('refuses more sums over both sides than a main thread should think of', () => {
    const terms = Array.from({ length: termsMax / 10 + 1 }, () => [0, 0] as const);
    const many = query(side('a', 20, 1, one), side('b', 10, 1, one), terms);
    expect(
      refusalOf(() =>
        joinPlan(
          many,
          terms.map(() => Z2_64),
          'left',
        ),
      ),
    ).toMatchObject({ code: 'TOO_MANY_CELLS' });
  });
});

describe('what two sides agree on', () => {
  const agreed = (text: string, left: number, right: number, under?: Charter): JoinAgreement => {
    const checked = checkedJob(text, under);
    const local = compile(checked, null);
    const inputs = layout(local, checked.dataset, checked.contributors);
    return joinOf(checked, local, { inputs, protection: null }, { left, right })!;
  };

  it('has the side as the receiver with which less is sent: of many cells, and of few people', () => {
    expect(agreed(joinYaml, 30, 30).plan.receiver).toBe('left');
    expect(agreed(joinYaml, 40, 20).plan.receiver).toBe('right');
    const byRight = replaced(joinYaml, [['group_by: [left.tenure]', 'group_by: [right.sex]']]);
    expect(agreed(byRight, 30, 30).plan.receiver).toBe('right');
  });

  it('takes the other way round where one will not do', () => {
    const charter = charterWith([
      'arrears:    { type: decimal, scale: 2, min: 0, max: 20000',
      'arrears: { type: integer, min: -9223372036854775807, max: 9223372036854775807',
    ]);
    expect(agreed(joinYaml, 30, 30, parseCharter(charter, 'charter.yaml')).plan.receiver).toBe('right');
    // A number that is too wide to be a factor fits a word.
    const most = 2n ** 63n - 1n;
    const sides = query(side('a', 1, 1, one, value(-most, most)), side('b', 1, 1, one), [[1, 0]]);
    expect(refusalOf(() => joinPlan(sides, [Z2_128], 'left'))).toMatchObject({ code: 'OVERFLOW' });
    expect(joinPlan(sides, [Z2_128], 'right').columns).toMatchObject([{ kind: 'word' }]);
  });

  it('refuses what no side has room for, by the sizes that are stated', () => {
    const wide = replaced(joinYaml, [
      [
        'measures:',
        'measures:\n  costs: { histogram: { of: right.annual_cost, bins: { from: 0, to: 100000, width: 1000 } } }\n  spread: { variance: right.annual_cost }\n  each: { regression: { y: left.arrears, x: [right.annual_cost, right.conditions] } }',
      ],
      ['group_by: [left.tenure]', 'group_by: [left.tenure, right.sex]'],
    ]);
    const checked = checkedJob(wide);
    expect(() => checkJoinRoom(checked, agreed(wide, 20, 20))).not.toThrow();
    expect(refusalOf(() => checkJoinRoom(checked, agreed(wide, 44, 44)))).toMatchObject({ code: 'SET_TOO_LARGE' });
    const dealt = replaced(joinYaml, [
      ['measures:', 'join_helper: hackney\nmeasures:\n  both: { covariance: [left.arrears, right.annual_cost] }'],
    ]);
    const error = refusalOf(() => checkJoinRoom(checkedJob(dealt), agreed(dealt, 44, 44)));
    expect(error).toMatchObject({ code: 'SET_TOO_LARGE' });
    expect(error.remedy).toContain('join_helper');
  });
});
