/**
 * Noise among parties that do not trust each other: its size against what one trusted server would add, where Gaussian
 * noise overtakes Laplace, and how fast both are drawn.
 * @module
 */
import { rhoFor } from '@folkmoot/core/accountant.js';
import { Coins } from '@folkmoot/core/coins.js';
import { discreteGaussian } from '@folkmoot/core/discrete-gaussian.js';
import { discreteLaplace } from '@folkmoot/core/discrete-laplace.js';
import { gaussianNoise, laplaceNoise, type Noise, nodeSampler, noiseFigures } from '@folkmoot/core/mechanism.js';
import { negativeBinomial } from '@folkmoot/core/negative-binomial.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { div, mul, type Rational, rational } from '@folkmoot/core/rational.js';
import type { Sampler } from '@folkmoot/core/sampler.js';
import { table } from './machine.ts';

const seed = 20261121;
const parties = 3;
const one = rational(1n);

/** The mean size of the noise of all parties, by drawing it. */
function drawnError(noise: Noise, draws: number): number {
  const nodes = Array.from({ length: noise.parties }, (_, i) => new Coins(seededRng(seed + i)));
  const draw = nodeSampler(noise);
  let sum = 0;
  for (let i = 0; i < draws; i++) sum += Math.abs(nodes.reduce((total, coins) => total + draw(coins), 0));
  return sum / draws;
}

function countErrors(): string {
  const draws = 200_000;
  const central = noiseFigures(laplaceNoise({ parties: 1, collusion: 0 }, one, 1n)).meanAbsolute;
  const rows = [0, 1, 2].map((collusion) => {
    const noise = laplaceNoise({ parties, collusion }, one, 1n);
    const { meanAbsolute, interval95 } = noiseFigures(noise);
    const drawn = drawnError(noise, draws);
    return [
      String(collusion),
      meanAbsolute.toFixed(3),
      drawn.toFixed(3),
      `${(meanAbsolute / central).toFixed(2)} ×`,
      `±${interval95}`,
    ];
  });
  const heads = ['collusion', 'mean |error|', `of ${draws.toLocaleString('en')} draws`, 'to one server', '95%'];
  return `a count at ε = 1, ${parties} parties (one trusted server: ${central.toFixed(3)})\n\n${table([heads, ...rows])}`;
}

/** Sums and means of the sample’s arrears (0 to 20,000.00, one row a person), in pounds. */
function amountErrors(): string {
  const highest = 2_000_000n;
  const people = 1_000;
  const figures = (collusion: number, count: number) => {
    const crowd = { parties: count, collusion };
    const sum = noiseFigures(laplaceNoise(crowd, one, highest));
    const centred = noiseFigures(laplaceNoise(crowd, rational(1n, 2n), highest));
    // The centred sum is of 2x − (min + max), half a penny each.
    return { sum: sum.meanAbsolute / 100, mean: centred.meanAbsolute / 200 / people };
  };
  const central = figures(0, 1);
  const rows = [0, 1, 2].map((collusion) => {
    const { sum, mean } = figures(collusion, parties);
    return [
      String(collusion),
      Math.round(sum).toLocaleString('en'),
      `${(sum / central.sum).toFixed(2)} ×`,
      mean.toFixed(2),
      `${(mean / central.mean).toFixed(2)} ×`,
    ];
  });
  const heads = ['collusion', 'sum', 'to one server', `mean of ${people.toLocaleString('en')} people`, 'to one server'];
  return `mean |error| of arrears at ε = 1, in pounds\n\n${table([heads, ...rows])}`;
}

function manyQuestions(): string {
  const rho = rhoFor(one, rational(1n, 1_000_000n))!;
  const crowd = { parties, collusion: 1 };
  const of = (whole: Rational, k: number) => div(whole, rational(BigInt(k)));
  const rows = [1, 2, 3, 5, 8, 10, 15, 20, 30, 50, 100].map((k) => {
    const laplace = noiseFigures(laplaceNoise(crowd, of(one, k), 1n)).meanAbsolute;
    const gaussian = noiseFigures(gaussianNoise(crowd, of(rho, k), 1n, 1)).meanAbsolute;
    return [String(k), laplace.toFixed(2), gaussian.toFixed(2), laplace <= gaussian ? 'laplace' : 'gaussian'];
  });
  const heads = ['counts', 'laplace', 'gaussian', 'auto takes'];
  return `mean |error| of each of k counts under (1, 10⁻⁶) in all, ${parties} parties, collusion 1\n\n${table([heads, ...rows])}`;
}

function drawingRates(): string {
  const budgetMs = 200;
  const rate = (sampler: Sampler) => {
    const coins = new Coins(seededRng(seed));
    for (let i = 0; i < 100; i++) sampler(coins);
    let drawn = 0;
    const begin = performance.now();
    while (performance.now() - begin < budgetMs) {
      for (let i = 0; i < 10; i++) sampler(coins);
      drawn += 10;
    }
    return `${((drawn / (performance.now() - begin)) * 1000).toPrecision(2)}`;
  };
  const samplers: [string, (scale: Rational) => Sampler][] = [
    ['discrete Laplace', discreteLaplace],
    ['discrete Gaussian', (sigma) => discreteGaussian(mul(sigma, sigma))],
    ['negative binomial, r = 1/2', (scale) => negativeBinomial(rational(1n, 2n), div(one, scale))],
    ['negative binomial, r = 1/3', (scale) => negativeBinomial(rational(1n, 3n), div(one, scale))],
  ];
  const scales = [1n, 100n, 10_000n, 1_000_000n];
  const rows = samplers.map(([name, at]) => [
    name,
    ...scales.map((scale) => Number(rate(at(rational(scale)))).toLocaleString('en')),
  ]);
  const heads = ['draws a second at scale', ...scales.map((scale) => scale.toLocaleString('en'))];
  return `${table([heads, ...rows])}\n\nScales on the lattice stay at about 1,024 and below: larger ones are coarsened.`;
}

console.log(`noise, seed ${seed}\n`);
for (const part of [countErrors, amountErrors, manyQuestions, drawingRates]) console.log(`${part()}\n`);
