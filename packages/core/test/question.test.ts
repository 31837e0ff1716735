import { describe, expect, it } from 'vitest';
import { parseCharter } from '../src/query/charter.ts';
import { questionHash, questionKey } from '../src/query/question.ts';
import { charterWith, checkedJob, privateYaml, replaced } from './consortium.ts';

const hash = (...changes: readonly (readonly [string, string])[]) =>
  questionHash(checkedJob(replaced(privateYaml, changes)));
const original = hash();

describe('a question', () => {
  it.each([
    ['another title', ['title: Mean arrears, protected', 'title: Something else']],
    ['no title', ['title: Mean arrears, protected\n', '']],
    ['the parties named that are the default', ['group_by', 'parties: [islington, hackney, camden]\ngroup_by']],
    ['the mechanism named that is the only one', ['collusion: 1', 'collusion: 1, mechanism: laplace']],
    ['rounding that rounds nothing', ['group_by', 'round: 1\ngroup_by']],
    ['a total that is not asked for', ['group_by', 'total: false\ngroup_by']],
    ['another order of its keys', ['{ epsilon: 1, collusion: 1 }', '{ collusion: 1, epsilon: 1.0 }']],
  ] as const)('stays the same with %s', (_, change) => {
    expect(hash(change)).toBe(original);
  });

  it('stays the same from version to version', () => {
    expect(original).toBe('60a463e1506f74decc7362edac46f1cccb8e6e48514f29f6a69fda735d000603');
  });

  it('stays the same where an empty grouping is written out', () => {
    expect(hash(['group_by: [tenure]\n', ''])).toBe(hash(['group_by: [tenure]', 'group_by: []']));
  });

  it.each([
    ['another group', ['group_by: [tenure]', 'group_by: [employed]']],
    ['a filter', ['group_by', 'where: { age: { gte: 18 } }\ngroup_by']],
    ['another measure', ['mean: arrears', 'mean: age']],
    ['another name of a measure', ['households: count', 'homes: count']],
    ['another threshold', ['group_by', 'min_group: 9\ngroup_by']],
    ['rounding', ['group_by', 'round: 5\ngroup_by']],
    ['a condition on the groups', ['group_by', 'having: { households: { gte: 9 } }\ngroup_by']],
    ['the largest groups alone', ['group_by', 'top: { by: households, count: 2 }\ngroup_by']],
    ['fewer parties', ['group_by', 'parties: [camden, hackney]\ngroup_by']],
    ['another epsilon', ['epsilon: 1', 'epsilon: 1.000001']],
    ['another collusion', ['collusion: 1', 'collusion: 2']],
    ['a delta', ['collusion: 1', 'collusion: 1, delta: 1e-6']],
    ['a split', ['collusion: 1', 'collusion: 1, split: { households: 1, mean_arrears: 1 }']],
    ['no protection', ['privacy: { epsilon: 1, collusion: 1 }\n', '']],
  ] as const)('is another with %s', (_, change) => {
    expect(hash(change)).not.toBe(original);
  });

  it('is the same to all analysts, and charged to each', () => {
    const checked = checkedJob(privateYaml);
    const reading = { period: 'Q4', fingerprint: 'b'.repeat(64) };
    const readings = { camden: reading, hackney: reading, islington: reading };
    const key = questionKey({ analyst: 'ana', checked, readings });
    const again = { islington: reading, hackney: { ...reading }, camden: reading };
    expect(questionKey({ analyst: 'ana', checked, readings: again })).toBe(key);
    expect(questionKey({ analyst: 'bob', checked, readings })).not.toBe(key);
    const others = [{ period: 'Q3' }, { fingerprint: 'c'.repeat(64) }];
    for (const change of others) {
      const other = { ...readings, hackney: { ...reading, ...change } };
      expect(questionKey({ analyst: 'ana', checked, readings: other })).not.toBe(key);
    }
    const other = parseCharter(charterWith(['max: 20000', 'max: 20001']), 'charter.yaml');
    expect(questionKey({ analyst: 'ana', checked: checkedJob(privateYaml, other), readings })).not.toBe(key);
  });
});
