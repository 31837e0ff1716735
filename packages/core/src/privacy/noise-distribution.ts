/**
 * The exact distribution of noise, in doubles: what is shown beside an answer, and what tests hold draws against.
 *
 * Differences of two negative binomials NB(β, e^(−a)) are *generalised discrete Laplace* (β = 1: discrete Laplace;
 * Harrison, Manurangsi, FORC 2025). Their generating function P(z) ∝ [(1−qz)(1−q/z)]^(−β) gives
 *   (1+q²)·k·p(k) = q·(k−1+β)·p(k−1) + q·(k+1−β)·p(k+1),
 * of which p is the solution that dies out; run downward from far out, errors die out as well (Miller's algorithm).
 * No noise and no budget comes from here.
 * @module
 */
import { assert } from '../algebra/assert.ts';

/** A distribution on the integers that is symmetric about 0. */
export interface NoiseFigures {
  readonly variance: number;
  readonly meanAbsolute: number;
  /** The least whole w with P(|X| ≤ w) ≥ 0.95. */
  readonly interval95: number;
}

/** The part that an interval of 95% leaves out. */
const outside = 0.05;

/** So many scales out less than e^(−45) is left, which no double beside 1 shows. */
const scalesOut = 45;

/** Beyond it the continuous limit differs by less than one part in 10^5, and figures are scaled up from here. */
const scaleSummedMax = 20_000;

/** P(X = k), k = 0, 1, …, for X = NB(β, e^(−a)) − NB(β, e^(−a)), as far as it matters. */
export function differencePmf(beta: number, a: number): Float64Array {
  assert(beta > 0 && a > 0 && a * scaleSummedMax > 0.99, 'β and a are positive, and the scale is one that is summed');
  const q = Math.exp(-a);
  // A large β adds β/a to the deviation by its square root; its far tail decays as the others do.
  const length = Math.ceil((scalesOut + 2 * beta) / a) + 30;
  const p = new Float64Array(length + 2);
  p[length] = Number.MIN_VALUE * 2 ** 60;
  let total = 0;
  for (let k = length; k >= 1; k--) {
    const next = ((1 + q * q) * k * p[k]! - q * (k + 1 - beta) * p[k + 1]!) / (q * (k - 1 + beta));
    p[k - 1] = next;
    total += 2 * p[k]!;
    if (next < 1e250) continue;
    for (let i = k - 1; i <= length; i++) p[i] = p[i]! * 1e-250;
    total *= 1e-250;
  }
  total += p[0]!;
  return p.map((each) => each / total);
}

/** P(X = k) for X = NB(r, e^(−a)). */
export function negativeBinomialPmf(r: number, a: number, k: number): number {
  let p = (-Math.expm1(-a)) ** r;
  for (let i = 1; i <= k; i++) p *= ((r + i - 1) / i) * Math.exp(-a);
  return p;
}

/** Figures of NB(β, e^(−a)) − NB(β, e^(−a)). */
export function differenceFigures(beta: number, a: number): NoiseFigures {
  const stretch = Math.max(1, 1 / (a * scaleSummedMax));
  const figures = summed(differencePmf(beta, a * stretch));
  return {
    // 2q/(1−q)² = 1/(2·sinh²(a/2))
    variance: beta / (2 * Math.sinh(a / 2) ** 2),
    meanAbsolute: figures.meanAbsolute * stretch,
    interval95: Math.ceil(figures.interval95 * stretch),
  };
}

/** P(X = k), k = 0, 1, …, for the discrete Gaussian of parameter σ². */
export function gaussianPmf(variance: number): Float64Array {
  const length = Math.ceil(10 * Math.sqrt(variance)) + 10;
  const p = Float64Array.from({ length }, (_, k) => Math.exp((-k * k) / (2 * variance)));
  const total = 2 * p.reduce((sum, each) => sum + each, 0) - 1;
  return p.map((each) => each / total);
}

/**
 * Figures of a sum of `parties` discrete Gaussians of parameter σ_l² ≥ 4. To within 10^−15 that is the discrete Gaussian
 * of parameter parties·σ_l² (Kairouz, Liu, Steinke 2021, Theorem 1), whose variance is its parameter.
 */
export function gaussianSumFigures(parties: number, variance: number): NoiseFigures {
  const stretch = Math.max(1, Math.sqrt(parties * variance) / scaleSummedMax);
  const figures = summed(gaussianPmf((parties * variance) / stretch ** 2));
  return {
    variance: parties * variance,
    meanAbsolute: figures.meanAbsolute * stretch,
    interval95: Math.ceil(figures.interval95 * stretch),
  };
}

/** The x with P(|X| ≥ x) = α, read as a continuous curve, for the discrete Laplace (as OpenDP states its accuracy). */
export function laplaceAccuracy(scale: number, alpha: number): number {
  return scale * Math.log(2 / (alpha * (1 + Math.exp(-1 / scale))));
}

/** The ρ of discrete Laplace noise at sensitivity 1: ε·tanh(ε/2), a little under ε²/2 (Bun, Steinke 2016, Prop. 1.4). */
export function laplaceRho(epsilon: number): number {
  return epsilon * Math.tanh(epsilon / 2);
}

/**
 * The pure ε that noise still gives when fewer add it than it was calibrated for: β = adding/calibrated. At β ≥ 1 it is
 * a·Δ; below, the largest log-ratio of the distribution to itself moved by Δ, which stands at 0 (Harrison, Manurangsi
 * 2025, Theorem 13).
 */
export function weakenedEpsilon(beta: number, a: number, sensitivity: number): number {
  if (beta >= 1) return a * sensitivity;
  const p = differencePmf(beta, a);
  return Math.log(p[0]! / p[sensitivity]!);
}

/**
 * The δ of showing only cells whose noisy count exceeds a threshold: the chance that one person, alone in `l0` cells with
 * `linf` in each, makes any of them show. `strict`: shown when noisy > threshold, else when noisy ≥ threshold.
 */
export function thresholdDelta(t: {
  readonly scale: number;
  readonly threshold: number;
  readonly linf: number;
  readonly l0: number;
  readonly strict: boolean;
}): number {
  const steps = t.threshold - t.linf + (t.strict ? 1 : 0);
  assert(steps > 0, 'the threshold exceeds what one person adds');
  const shown = Math.exp(-steps / t.scale) / (1 + Math.exp(-1 / t.scale));
  return -Math.expm1(t.l0 * Math.log1p(-shown));
}

function summed(p: Float64Array): Omit<NoiseFigures, 'variance'> {
  let meanAbsolute = 0;
  for (let k = 1; k < p.length; k++) meanAbsolute += 2 * k * p[k]!;
  // From the far end, where the small summands are: P(|X| ≥ w + 1) > outside ends the search.
  let beyond = 0;
  let w = p.length;
  while (w > 0 && beyond + 2 * p[w - 1]! <= outside) beyond += 2 * p[--w]!;
  // All of w, w+1, … may be left out: the interval ends one before.
  return { meanAbsolute, interval95: Math.max(w - 1, 0) };
}
