import { describe, expect, it } from 'vitest';
import type { Demand } from '../src/protocols/correlations.ts';
import { lanesFor } from '../src/protocols/lanes.ts';
import type { OtOptions } from '../src/protocols/ot-extension.ts';
import { expectAtCost, large, none, small } from './correlate-cost.ts';
import { idealBaseOts } from './relations.ts';

const ideal = { base: idealBaseOts };
const cases: [Demand, OtOptions][] = [
  [small, {}],
  [small, { extension: 'softspoken', k: 1, ...ideal }],
  [small, { extension: 'silent', ...ideal }],
  [
    { ...none, triples: 8192 + 1, sharedBits: 200 },
    { extension: 'silent', ...ideal },
  ],
];
/** Among more than two, what is counted a call is counted as between two. */
const betweenTwo: [Demand, OtOptions][] = [
  [
    { ...none, sharedBits: 2 ** 20 + 100 },
    { extension: 'softspoken', k: 2, ...ideal },
  ],
  [
    { ...none, triples: 8192 + 1 },
    { extension: 'softspoken', k: 2, ...ideal },
  ],
  [large, { extension: 'softspoken', ...ideal }],
  [large, { extension: 'silent', ...ideal }],
];

describe('lanes', () => {
  it.each([2, 3, 4])('make what the relations ask for, at the cost stated, among %i', async (parties) => {
    expect(lanesFor(large)).toBe(2);
    for (const [demand, options] of parties === 2 ? [...cases, ...betweenTwo] : cases) {
      await expectAtCost(parties, demand, options);
    }
  });
});
