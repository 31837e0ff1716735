import { describe, expect, it } from 'vitest';
import { rational } from '../src/algebra/rational.ts';
import { fillNoise, gaussianNoise, laplaceNoise } from '../src/privacy/mechanism.ts';
import { type NoiseBinding, noiseCoins, samplerVersion } from '../src/privacy/noise-key.ts';

const key = new Uint8Array(32).fill(1);
const binding: NoiseBinding = {
  charter: new Uint8Array(32).fill(2),
  question: new Uint8Array(32).fill(3),
  roster: [
    { party: 'camden', period: '2026-Q3', fingerprint: 'a1' },
    { party: 'hackney', period: '2026-Q3', fingerprint: 'b2' },
  ],
  sampler: samplerVersion,
  noise: laplaceNoise({ parties: 2, collusion: 1 }, rational(1n), 100n),
  lattice: 1n,
  label: 'sum(arrears)',
  cells: 20,
};

function noise(changes: Partial<NoiseBinding> = {}, noiseKey = key): bigint[] {
  const whole = { ...binding, ...changes };
  const out = new BigInt64Array(whole.cells);
  fillNoise(whole.noise, noiseCoins(noiseKey, whole), out);
  return [...out];
}

describe('the noise of a node', () => {
  it('is the same for the same key and question, and pinned', () => {
    expect(noise()).toEqual(noise());
    expect(noise()).toMatchInlineSnapshot(`
      [
        -127n,
        -49n,
        8n,
        -80n,
        345n,
        89n,
        83n,
        231n,
        99n,
        -76n,
        -139n,
        -2n,
        -5n,
        -68n,
        35n,
        -104n,
        -32n,
        -22n,
        -16n,
        -260n,
      ]
    `);
    expect(noiseCoins(key, binding).word()).toMatchInlineSnapshot(`3101524608`);
  });

  const other = new Uint8Array(32).fill(9);
  const { noise: laplace, roster } = binding;
  const changes: Record<string, Partial<NoiseBinding>> = {
    'the charter, and with it a bound': { charter: other },
    'the question': { question: other },
    'a party of the roster': { roster: [roster[0]!, { party: 'islington', period: '2026-Q3', fingerprint: 'b2' }] },
    'the number of parties': { roster: [...roster, { party: 'islington', period: '2026-Q3', fingerprint: 'b2' }] },
    'a period': { roster: [roster[0]!, { ...roster[1]!, period: '2026-Q4' }] },
    'a reading': { roster: [roster[0]!, { ...roster[1]!, fingerprint: 'b3' }] },
    'a border between a period and a reading': {
      roster: [roster[0]!, { ...roster[1]!, period: '2026-Q3b', fingerprint: '2' }],
    },
    'a border between a name and a period': {
      roster: [{ ...roster[0]!, party: 'camden2026', period: '-Q3' }, roster[1]!],
    },
    'the version of the samplers': { sampler: samplerVersion + 1 },
    'the mechanism': { noise: gaussianNoise({ parties: 2, collusion: 1 }, rational(1n), 100n, 20) },
    'the scale': { noise: laplaceNoise({ parties: 2, collusion: 1 }, rational(2n), 100n) },
    'the number that may collude': { noise: { ...laplace, collusion: 0 } },
    'the number that add noise': { noise: { ...laplace, parties: 3 } },
    'the lattice': { lattice: 2n },
    'the section': { label: 'sum(rent)' },
    'the number of cells': { cells: 21 },
  };

  it.each(Object.entries(changes))('changes with %s', (_, change) => {
    const [mine, changed] = [noiseCoins(key, binding), noiseCoins(key, { ...binding, ...change })];
    const words = (coins: typeof mine) => Array.from({ length: 8 }, () => coins.word());
    const seen = new Set(words(mine));
    expect(words(changed).some((word) => seen.has(word))).toBe(false);
  });

  it('changes with ρ where the variance is the same', () => {
    const [a, b] = [1n, 2n].map((rho) => gaussianNoise({ parties: 2, collusion: 1 }, rational(rho), 1n, 1));
    expect(a!.variance).toEqual(b!.variance);
    expect(noise({ noise: a! })).not.toEqual(noise({ noise: b! }));
  });

  it('changes with the key of the node', () => {
    expect(noise({}, other)).not.toEqual(noise());
  });

  it('differs from cell to cell', () => {
    expect(new Set(noise()).size).toBeGreaterThan(15);
  });

  it('refuses a key or a hash of another length', () => {
    expect(() => noise({}, key.subarray(1))).toThrow('32 bytes');
    expect(() => noise({ charter: key.subarray(1) })).toThrow('32 bytes');
    expect(() => noise({ question: new Uint8Array(33) })).toThrow('32 bytes');
  });
});
