/**
 * What the noise may have been: draws of all parties' noise together, in doubles, for intervals and for nothing else.
 *
 * The sum of N parties' Laplace parts is NB(N/h, q) − NB(N/h, q), drawn as Poisson counts of gamma rates; N discrete
 * Gaussians are a rounded normal, to within 10^−15 at σ_l² ≥ 4. What each party lost by rounding to the lattice is drawn
 * as uniform. A release's draws are made once and then taken at random for each figure of each cell, so that the work
 * does not grow with the answer. Seeded: the same answer has the same intervals. No noise is ever made here.
 * @module
 */

import { type Rng, seededRng } from '../../algebra/prg.ts';
import { toNumber } from '../../algebra/rational.ts';
import { honestOf, type Noise } from '../../privacy/mechanism.ts';

/** Of all releases together: a quarter of a second. */
const drawsMax = 2 ** 20;
/** Enough that the 0.025 tail is known to a hundredth of itself. */
const poolMax = 2 ** 14;
const poolMin = 2 ** 10;
const wordsBuffered = 2 ** 14;
/** From here on a Poisson count is a rounded normal, for the eye. */
const poissonNormalMin = 50;

interface Drawn {
  readonly noise: Noise;
  readonly lattice: bigint;
}

export class Simulation {
  readonly #rng: Rng;
  #words: Uint32Array = new Uint32Array(0);
  #next = 0;
  readonly #pools: readonly Float64Array[];
  readonly #mask: number;

  constructor(releases: readonly Drawn[], seed: Uint8Array) {
    this.#rng = seededRng(seed);
    const size = Math.min(Math.max(2 ** Math.floor(Math.log2(drawsMax / releases.length)), poolMin), poolMax);
    this.#mask = size - 1;
    this.#pools = releases.map((release) => Float64Array.from({ length: size }, () => this.#draw(release)));
  }

  /** What the noise may have added to one figure of a release. */
  noise(release: number): number {
    return this.#pools[release]![this.#word() & this.#mask]!;
  }

  #word(): number {
    if (this.#next === this.#words.length) {
      this.#words = new Uint32Array(this.#rng(4 * wordsBuffered).buffer);
      this.#next = 0;
    }
    return this.#words[this.#next++]!;
  }

  /** In (0, 1). */
  #uniform(): number {
    return (this.#word() + 0.5) / 2 ** 32;
  }

  #draw({ noise, lattice }: Drawn): number {
    const step = Number(lattice);
    let rounded = 0;
    for (let party = 0; party < noise.parties; party++) rounded += (this.#uniform() - 0.5) * (step - 1);
    return step * this.#sum(noise) + rounded;
  }

  /** Of all parties. */
  #sum(noise: Noise): number {
    if (noise.mechanism === 'gaussian') {
      return Math.round(Math.sqrt(noise.parties * toNumber(noise.variance)) * this.#normal());
    }
    const shape = noise.parties / honestOf(noise);
    const rate = 1 / Math.expm1(toNumber(noise.a));
    return this.#poisson(rate * this.#gamma(shape)) - this.#poisson(rate * this.#gamma(shape));
  }

  /** Box and Muller (1958). */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(this.#uniform())) * Math.cos(2 * Math.PI * this.#uniform());
  }

  /** Marsaglia and Tsang (2000), for a shape of 1 at least, as N/h is. */
  #gamma(shape: number): number {
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    while (true) {
      const x = this.#normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(this.#uniform()) < x ** 2 / 2 + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  #poisson(mean: number): number {
    if (mean >= poissonNormalMin) return Math.max(Math.round(mean + Math.sqrt(mean) * this.#normal()), 0);
    const limit = Math.exp(-mean);
    let count = -1;
    for (let product = 1; product > limit; product *= this.#uniform()) count++;
    return Math.max(count, 0);
  }
}
