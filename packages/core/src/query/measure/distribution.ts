/**
 * Tails of the distributions that tests need, to 1e-12 relative: the regularised incomplete beta and gamma functions.
 *
 * The beta function is the continued fraction of Didonato and Morris (1992, ACM TOMS 708), the gamma function a series
 * (DLMF 8.11.4) or a continued fraction (8.9.2). The factor before them is written with Stirling's error and the deviance
 * of Loader (2000), "Fast and accurate computation of binomial probabilities": the plain form subtracts logarithms of
 * gamma functions, which loses the digits behind them once the degrees of freedom are many.
 * @module
 */
import { assert } from '../../algebra/assert.ts';

const epsilon = Number.EPSILON;
/** Each ends by itself, after about √a steps at the slowest; this stops what a fault of ours would let run on. */
const stepsMax = 1_000_000;
const tiny = 1e-300;

/** P(|T| ≥ |t|) for Student's t with at least one degree of freedom, given t². */
export function studentTwoSided(tSquared: number, df: number): number {
  assert(tSquared >= 0 && df > 0, 'a squared t is not negative and df is positive');
  const y = tSquared / (df + tSquared);
  return incompleteBeta({ x: df / (df + tSquared), y }, df / 2, 0.5);
}

/** P(X ≥ x) for chi-square. */
export function chiSquareUpper(x: number, df: number): number {
  return upperGamma(df / 2, x / 2);
}

/**
 * I_x(a, b), for a and b of at least 1/2. Both x and y = 1 − x are given, since the smaller one keeps its digits only
 * where the caller did not subtract.
 */
export function incompleteBeta({ x, y }: { x: number; y: number }, a: number, b: number): number {
  assert(x >= 0 && y >= 0 && a >= 0.5 && b >= 0.5, 'the arguments of the incomplete beta function are in range');
  if (x === 0) return 0;
  if (y === 0) return 1;
  return x < (a + 1) / (a + b + 2) ? betaFraction(x, y, a, b) : 1 - betaFraction(y, x, b, a);
}

/** Q(a, x) = Γ(a, x) / Γ(a), for a of at least 1/2. */
export function upperGamma(a: number, x: number): number {
  assert(a >= 0.5 && x >= 0, 'the arguments of the incomplete gamma function are in range');
  if (x === 0) return 1;
  // x^a e^(−x) / Γ(a), by Loader's form of the Poisson probability.
  const factor = Math.sqrt(a / (2 * Math.PI)) * Math.exp(-stirlingError(a) - deviance(a, x, a - x));
  if (factor === 0) return x < a ? 1 : 0;
  return x < a + 1 ? 1 - factor * gammaSeries(a, x) : factor * gammaFraction(a, x);
}

/** P(a, x) x^(−a) e^x Γ(a), the series 8.11.4. */
function gammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let k = 1; k < stepsMax && term > sum * epsilon * 0.1; k++) {
    term *= x / (a + k);
    sum += term;
  }
  return sum;
}

/** Q(a, x) x^(−a) e^x Γ(a), the continued fraction 8.9.2 in its even part. */
function gammaFraction(a: number, x: number): number {
  let b = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / b;
  let h = d;
  for (let i = 1; i < stepsMax; i++) {
    const numerator = -i * (i - a);
    b += 2;
    d = 1 / awayFromZero(numerator * d + b);
    c = awayFromZero(b + numerator / c);
    h *= c * d;
    if (Math.abs(c * d - 1) <= epsilon) break;
  }
  return h;
}

/** I_x(a, b) where x lies below (a + 1)/(a + b + 2), so that `excess` stays above −1. */
function betaFraction(x: number, y: number, a: number, b: number): number {
  const n = a + b;
  // x^a y^b / B(a, b), by Loader's form of the binomial probability; a − n x is b's excess, written without 1 − y.
  const excess = x < y ? a - n * x : n * y - b;
  const exponent =
    stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x, excess) - deviance(b, n * y, -excess);
  const factor = Math.exp(exponent) * Math.sqrt((a * b) / (2 * Math.PI * n));
  if (factor === 0) return 0;

  const c = excess + 1;
  const c1 = 1 + 1 / a;
  let p = 1;
  let s = a + 1;
  let [above, below, aboveNext, belowNext] = [0, 1, 1, c / c1];
  let ratio = c1 / c;
  for (let k = 1; k < stepsMax; k++) {
    const t = k / a;
    const w = k * (b - k) * x;
    const alpha = p * (p + b / a) * (a / s) ** 2 * (w * x);
    const beta = k + w / s + ((1 + t) / (c1 + 2 * t)) * (c + k * (1 + y));
    p = 1 + t;
    s += 2;
    const numerator = alpha * above + beta * aboveNext;
    const denominator = alpha * below + beta * belowNext;
    const next = numerator / denominator;
    const isDone = Math.abs(next - ratio) <= epsilon * next;
    ratio = next;
    if (isDone) break;
    [above, below, aboveNext, belowNext] = [aboveNext / denominator, belowNext / denominator, ratio, 1];
  }
  return factor * ratio;
}

function awayFromZero(x: number): number {
  return Math.abs(x) < tiny ? tiny : x;
}

/** x log(x/m) + m − x, given the difference x − m without the loss of a subtraction. */
function deviance(x: number, m: number, difference: number): number {
  if (Math.abs(difference) >= 0.1 * (x + m)) return x * Math.log(x / m) - difference;
  // (x − m)²/(x + m) and its odd powers; every term has the sign of the difference.
  const v = difference / (x + m);
  let sum = difference * v;
  let power = 2 * x * v;
  for (let j = 1; j < 1000; j++) {
    power *= v * v;
    const next = sum + power / (2 * j + 1);
    if (next === sum) break;
    sum = next;
  }
  return sum;
}

/** log Γ(z + 1) − (z + 1/2) log z + z − log(2π)/2. */
function stirlingError(z: number): number {
  // Below 16 the series is too short, and one step up costs (z + 1/2) log(1 + 1/z) − 1.
  let steps = 0;
  let at = z;
  while (at < 16) {
    steps += (at + 0.5) * Math.log1p(1 / at) - 1;
    at += 1;
  }
  const w = 1 / (at * at);
  const series = 1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - (w * 691) / 360360))));
  return steps + series / at;
}
