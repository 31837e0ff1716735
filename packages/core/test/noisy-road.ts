/**
 * A protected job from rows to its answer in memory: every party's sums, its noise from a seed, the opening, the answer.
 * @module
 */
import { plainAnswer } from '@folkmoot/testkit/plain-evaluation.js';
import { seededRng } from '../src/algebra/prg.ts';
import { parseRational } from '../src/algebra/rational.ts';
import { addInto, type Vector } from '../src/algebra/ring.ts';
import { fillNoise } from '../src/privacy/mechanism.ts';
import { Coins } from '../src/privacy/noise/coins.ts';
import type { Answer } from '../src/query/answer.ts';
import { parseCharter } from '../src/query/charter.ts';
import type { CheckedJob } from '../src/query/check-job.ts';
import { decode, encode } from '../src/query/encode.ts';
import { compile, evaluate } from '../src/query/local.ts';
import { finishProtected } from '../src/query/protected-answer.ts';
import { combine, type Protection, protect } from '../src/query/protection.ts';
import type { Row } from '../src/query/record.ts';
import type { LocalQuery } from '../src/query/statistic.ts';
import { charterWith, checkedJob, jobText } from './consortium.ts';

export type Changes = readonly (readonly [string, string])[];

/** Measures of every kind. */
export const everything = `group_by: [tenure]
measures:
  a: count
  b: { count: { where: { age: { gte: 40 } } } }
  c: { sum: arrears }
  d: { mean: age }
  e: { variance: income }
  f: { covariance: [income, arrears] }
  g: { correlation: [age, employed] }
  h: { regression: { y: arrears, x: [income, age, employed] } }
  i: { ratio: [arrears, income] }
  j: { histogram: { of: age, bins: [0, 20, 40, 60] } }
  k: { median: { of: age, bins: { from: 0, to: 110, width: 2 } } }
  l: { t_test: { of: income, by: employed } }
  m: { chi_square: [tenure, employed] }
  n: { stddev: employed }`;

/** A job of these lines; `epsilon` may be more than a job can ask for. */
export function protectedJob(lines: string, epsilon = '1', changes: Changes = []): CheckedJob {
  const checked = checkedJob(
    jobText(`${lines}\nprivacy: { epsilon: 1, collusion: 1 }`),
    parseCharter(charterWith(...changes), 'charter'),
  );
  return { ...checked, privacy: { ...checked.privacy!, epsilon: parseRational(epsilon) } };
}

export interface Asked {
  readonly checked: CheckedJob;
  readonly query: LocalQuery;
  readonly protection: Protection;
  /** Of every party, `[part][cell]`. */
  readonly parts: readonly bigint[][][];
}

/** Everything up to the noise. */
export function ask(checked: CheckedJob, parties: readonly (readonly Row[])[]): Asked {
  const query = compile(checked);
  const protection = protect(checked, query, parties.length, []);
  const parts = parties.map((rows) => combine(protection, evaluate(query, checked.dataset, rows)));
  return { checked, query, protection, parts };
}

/** What is opened, with every party's noise in its ring. */
function openNoisy({ protection, parts }: Asked, seed: number): bigint[][] {
  const { layout, releases } = protection;
  const coins = new Coins(seededRng(seed));
  const shares = parts.flatMap((own) => {
    const noise = releases.flatMap((release) => {
      const drawn = new BigInt64Array(release.parts.length * layout.cells);
      fillNoise(release.noise, coins, drawn);
      return release.parts.map((_, at) => [...drawn.subarray(at * layout.cells, (at + 1) * layout.cells)]);
    });
    return [encode(layout, own), encode(layout, noise)];
  });
  const sums = shares.reduce((total: Vector[], share) => {
    share.forEach((vector, section) => {
      addInto(total[section]!, vector);
    });
    return total;
  });
  return decode(layout, sums);
}

export function noisyAnswer(asked: Asked, seed: number, threshold = 0, round = 1): Answer {
  const { checked, query, protection } = asked;
  const periods = { camden: '2026-Q4', hackney: '2026-Q4', islington: '2026-Q4' };
  const job = seed.toString(16).padStart(64, '0');
  const totals = openNoisy(asked, seed);
  return finishProtected({ job, checked, query, protection, totals, threshold, round, periods });
}

/** The answer to the same job without its protection. */
export function exactAnswer(checked: CheckedJob, parties: readonly (readonly Row[])[]): Answer {
  return plainAnswer(checked, (query, party) =>
    evaluate(query, checked.dataset, parties[checked.parties.indexOf(party)]!),
  );
}

/** A number in [0, 1) for each call, by a linear congruence: enough to make up rows. */
function chance(seed: number): () => number {
  let state = (seed * 2654435761 + 1) >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Residents with correlated columns; `values` on top. */
export function residents(count: number, seed: number, values: (at: number) => Row = () => ({})): Row[] {
  const next = chance(seed);
  return Array.from({ length: count }, (_, at): Row => {
    const income = 10_000 + 140_000 * next();
    const employed = next() < 0.3 + income / 300_000;
    const arrears = 1_000 + income / 15 + 6_000 * next() + (employed ? 800 : 0);
    return {
      person: `${seed}/${at}`,
      age: Math.floor(111 * next()),
      tenure: ['owner', 'private', 'social', 'temporary'][Math.floor(next() * (employed ? 3 : 4))]!,
      arrears: arrears.toFixed(2),
      income: income.toFixed(2),
      employed,
      moved_in: `${2000 + Math.floor(20 * next())}-05-01`,
      ...values(at),
    };
  });
}
