/**
 * The question: what a protected job asks, whoever asks it and whenever.
 *
 * The canonical job without its title, with every default filled in and the terms of its protection in exact fractions.
 * Two texts of one question have one hash, and so the same noise and, for one analyst, one charge; whatever could change
 * the answer or its noise makes another question. Times and nonces belong to the envelope and are not part of it.
 * @module
 */
import { toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import type { Rational } from '../algebra/rational.ts';
import type { Reading } from './acceptance.ts';
import { charterHash } from './charter.ts';
import type { CheckedJob } from './check-job.ts';
import type { PrivacyTerms } from './privacy-terms.ts';

const fraction = (value: Rational | null): string | null => (value === null ? null : `${value.n}/${value.d}`);

function canonicalTerms({ epsilon, rho, delta, mechanism, collusion, split }: PrivacyTerms): object {
  return {
    epsilon: fraction(epsilon),
    rho: fraction(rho),
    delta: fraction(delta),
    mechanism,
    collusion,
    split: split === null ? null : Object.fromEntries([...split].map(([name, part]) => [name, fraction(part)])),
  };
}

/**
 * A key that says what holds without it is no part of the question; nor is who deals randomness, with whom and without
 * whom the answer and its noise are the same. A join's own key names both sides, their datasets and what is matched.
 */
function canonicalJob({ title: _, join_helper: __, round, total, ...rest }: CheckedJob['job']): object {
  return { ...rest, ...(round === undefined || round === 1 ? {} : { round }), ...(total === true ? { total } : {}) };
}

/** The hash of the question, in hexadecimal digits. */
export function questionHash({ job, parties, privacy }: CheckedJob): string {
  return toHex(hashJson({ ...canonicalJob(job), parties, privacy: privacy === null ? null : canonicalTerms(privacy) }));
}

/** By whom a question is asked, of which readings of the data. */
export interface Asked {
  readonly analyst: string;
  readonly checked: CheckedJob;
  /** What each party answers from. */
  readonly readings: Readonly<Record<string, Reading>>;
}

/**
 * What is charged once: the same question of the same analyst under the same charter, over the same readings and roster.
 *
 * The name of a period is not enough: where one party lost its state and read a period again, its noise is new, and
 * answers that were free would average it away from the noise of the others.
 */
export function questionKey({ analyst, checked, readings }: Asked): string {
  return toHex(
    hashJson({
      label: 'folkmoot question v1',
      analyst,
      question: questionHash(checked),
      charter: charterHash(checked.charter),
      roster: checked.parties,
      readings,
    }),
  );
}
