/**
 * Published known answers for noise and accounting, pinned in `vectors/privacy.json`.
 * @module
 */
import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseRational, type Rational, rational } from '../src/algebra/rational.ts';
import { gaussianRho, tauFigure } from '../src/privacy/distributed-gaussian.ts';
import { discreteGaussianDelta } from '../src/privacy/gaussian-delta.ts';
import { expMiddle, type Interval, middle } from '../src/privacy/interval.ts';
import {
  differencePmf,
  laplaceAccuracy,
  laplaceRho,
  negativeBinomialPmf,
  thresholdDelta,
  weakenedEpsilon,
} from '../src/privacy/noise-distribution.ts';
import { bunSteinkeEpsilon, cksEpsilon, cksLnDelta, cksRho } from '../src/privacy/zcdp.ts';

interface Known {
  readonly id: string;
  readonly op: string;
  // biome-ignore lint/suspicious/noExplicitAny: each operation has inputs of its own.
  readonly input: any;
  // biome-ignore lint/suspicious/noExplicitAny: a number, a list or a record, by operation.
  readonly expected: any;
  readonly tolerance: { readonly rel: number; readonly direction?: string };
}

const known: readonly Known[] = JSON.parse(
  readFileSync(new URL('./vectors/privacy.json', import.meta.url), 'utf8'),
).vectors;

/** `0.1`, `2/3`, `1e-6`: exactly. */
function exact(text: string): Rational {
  const [digits = '', exponent] = text.split('e-');
  const r = parseRational(digits);
  return exponent === undefined ? r : rational(r.n, r.d * 10n ** BigInt(exponent));
}

const number = (text: string) => {
  const r = exact(text);
  return Number(r.n) / Number(r.d);
};

/** What each operation gives, in the shape of `expected`. Bounds count as their middle, and must be tight as well. */
const operations: Record<string, (input: Known['input']) => unknown> = {
  zcdp_to_eps_bun_steinke: ({ rho, delta }) => tight(bunSteinkeEpsilon(exact(rho), exact(delta))),
  zcdp_to_eps_cks: ({ rho, delta }) => tight(cksEpsilon(exact(rho), exact(delta))),
  zcdp_to_delta_cks: ({ rho, eps }) => expMiddle(cksLnDelta(exact(rho), exact(eps))),
  eps_delta_to_rho_cks: ({ eps, delta }) => tight(cksRho(exact(eps), exact(delta))),
  discrete_gaussian_delta: ({ sigma2, eps, sensitivity }) =>
    tight(discreteGaussianDelta(exact(sigma2), exact(eps), BigInt(sensitivity))),
  gdl_exact_epsilon: ({ beta, a, sensitivity }) => weakenedEpsilon(number(beta), number(a), sensitivity),
  gdl_pmf: ({ beta, a, k }) => k.map((each: number) => differencePmf(number(beta), number(a))[each]),
  nb_pmf: ({ r, a, k }) => k.map((each: number) => negativeBinomialPmf(number(r), number(a), each)),
  ddg_rho_alpha1: ({ honest_parties: honest, sigma2_local: variance, l2_sens: l2, dim: cells }) => ({
    tau: tauFigure(honest, exact(variance)),
    rdp_at_alpha_1: middle(gaussianRho({ sensitivitySquared: BigInt(l2 * l2), cells, honest }, exact(variance))),
  }),
  discrete_laplace_scale_to_accuracy: ({ scale, alpha }) => laplaceAccuracy(scale, alpha),
  discrete_laplace_rho: ({ a }) => laplaceRho(number(a)),
  tau_threshold_delta_discrete_laplace: ({ release_iff: rule, ...rest }) =>
    thresholdDelta({ ...rest, strict: rule === 'noisy > threshold' }),
};

function tight(bounds: Interval): number {
  expect(bounds.hi >= bounds.lo).toBe(true);
  expect((bounds.hi - bounds.lo) >> 100n).toBe(0n);
  return middle(bounds);
}

function flat(value: unknown): number[] {
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(flat) : [value as number];
}

describe('published known answers', () => {
  it.each(known.map((each) => [each.id, each] as const))('%s', (_, { op, input, expected, tolerance }) => {
    const actual = flat(operations[op]!(input));
    const wanted = flat(expected);
    expect(actual).toHaveLength(wanted.length);
    wanted.forEach((value, i) => {
      expect(Math.abs(actual[i]! / value - 1)).toBeLessThanOrEqual(tolerance.rel);
    });
  });

  it('has one of every operation', () => {
    expect(new Set(known.map(({ op }) => op))).toEqual(new Set(Object.keys(operations)));
  });
});

/** What is published with them and is not computed here. */
const notOurs: Record<string, string> = {
  pld_discrete_gaussian_eps: 'privacy loss distributions: composition here is additive',
  pld_discrete_laplace_eps: 'privacy loss distributions: composition here is additive',
  rdp_gaussian_eps: 'Rényi orders: budgets are in ε or ρ',
  kov_heterogeneous_eps: 'optimal composition of given ε: not valid as a filter',
  gaussian_eps_analytic: 'the continuous Gaussian: all noise here is whole',
  tau_threshold_laplace: 'the continuous Laplace: all noise here is whole',
  optimal_partition_selection_keep_prob: 'keys are declared in the dictionary: none is selected by noise',
  skellam_rdp: 'no Skellam noise is added',
  binomial_mechanism_delta: 'no binomial noise is added',
  ddg_wfa_acdp: 'another account of the distributed Gaussian, with other constants',
  sensitivity: 'tested with the sensitivities',
};

const published = new URL('../../../../shared/vectors/dp.json', import.meta.url);

describe('the published collection', () => {
  it('holds what is pinned here, and nothing else that concerns it', ({ skip }) => {
    if (!existsSync(published)) {
      console.warn('SKIPPED: ../shared/vectors/dp.json is not here; vectors/privacy.json pins what concerns us.');
      skip();
    }
    const all: readonly Known[] = JSON.parse(readFileSync(published, 'utf8')).vectors;
    expect(all.filter(({ op }) => notOurs[op] === undefined)).toEqual(known);
  });
});
