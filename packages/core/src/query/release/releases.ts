/**
 * The releases of a job: those its measures ask for, each once, and which part of the budget each has.
 *
 * Two measures that need the same figures share a release, which is opened and charged once. The budget is divided
 * equally over the releases; with a split, a measure's part is divided equally over its releases, and a release that
 * several need has the sum. A function of public texts only.
 * @module
 */
import { assert } from '../../algebra/assert.ts';
import { add, div, type Rational, rational } from '../../algebra/rational.ts';
import type { CheckedJob } from '../check-job.ts';
import type { Condition } from '../condition.ts';
import { countOf, keyOf } from '../measure/family.ts';
import type { LocalQuery } from '../statistic.ts';
import type { Combination, Draft, DraftPart, Release, Shielded } from './release.ts';
import { shieldMeasure } from './shield.ts';

/** A release among those of its job. */
export interface PlacedRelease extends Release {
  /** Unique within the job; the noise is derived from it. */
  readonly label: string;
  /** The measures that need it. */
  readonly measures: readonly string[];
  /** The place of its first part among all parts of the job. */
  readonly first: number;
  /** The part of the budget, of 1. */
  readonly weight: Rational;
}

/** A measure, and the places of the parts that its drafts ask for, in their order. */
export interface PlacedMeasure {
  readonly name: string;
  readonly shielded: Shielded;
  readonly parts: readonly number[];
  /** For each set of people that a threshold looks at, the part that counts it, where one is released. */
  readonly counted: readonly (number | undefined)[];
}

export interface JobReleases {
  readonly releases: readonly PlacedRelease[];
  readonly measures: readonly PlacedMeasure[];
}

interface Found {
  readonly release: Release;
  readonly first: number;
  readonly measures: string[];
}

/** @throws InputError NOT_SUPPORTED, naming a measure that cannot be protected */
export function releasesOf({ job, dataset, privacy }: CheckedJob, query: LocalQuery): JobReleases {
  const places = new Map(query.statistics.map((statistic, at) => [keyOf(statistic), at]));
  const distinct = new Map<string, Found>();
  let parts = 0;
  const find = (draft: Draft, measure: string): Found => {
    const release = { ...draft, parts: draft.parts.map((part) => combinationOf(part, places)) };
    const key = contentOf(release);
    const found = distinct.get(key) ?? { release, first: parts, measures: [] };
    if (!distinct.has(key)) {
      distinct.set(key, found);
      parts += release.parts.length;
    }
    if (!found.measures.includes(measure)) found.measures.push(measure);
    return found;
  };
  // In one order at every party, whatever order the job was written in.
  const names = Object.keys(job.measures).sort();
  const measures = names.map((name) => {
    const { shielded, tested } = shieldMeasure(name, job.measures[name]!, dataset);
    const found = shielded.drafts.map((draft) => find(draft, name));
    return { name, shielded, tested, found };
  });
  const all = [...distinct.values()];
  const weightOf = ({ measures: needing }: Found): Rational => {
    if (privacy?.split == null) return rational(1n, BigInt(all.length));
    return needing.reduce((sum, name) => {
      const own = all.filter(({ measures: others }) => others.includes(name)).length;
      return add(sum, div(privacy.split!.get(name)!, rational(BigInt(own))));
    }, rational(0n));
  };
  const partOf = new Map<string, number>();
  for (const { release, first } of all) {
    release.parts.forEach((part, at) => {
      if (!partOf.has(textOf(part))) partOf.set(textOf(part), first + at);
    });
  }
  // A set of people is tested on its noisy count, which is released anyway; where none is, nothing can be tested.
  const countedBy = (where: Condition): number | undefined => {
    const place = places.get(keyOf(countOf(where)));
    return place === undefined ? undefined : partOf.get(textOf([[place, 1n]]));
  };
  return {
    releases: all.map((found, at) => ({
      ...found.release,
      label: `${at + 1} ${found.release.what}`,
      measures: found.measures,
      first: found.first,
      weight: weightOf(found),
    })),
    measures: measures.map(({ name, shielded, tested, found }) => ({
      name,
      shielded,
      parts: found.flatMap(({ release, first }) => release.parts.map((_, at) => first + at)),
      counted: tested.map(countedBy),
    })),
  };
}

/** In one form: by place, equal places added, no zeros. */
function combinationOf(part: DraftPart, places: ReadonlyMap<string, number>): Combination {
  const coefficients = new Map<number, bigint>();
  for (const [statistic, coefficient] of part) {
    const place = places.get(keyOf(statistic));
    assert(place !== undefined, 'the query holds every sum that a release needs');
    coefficients.set(place, (coefficients.get(place) ?? 0n) + coefficient);
  }
  return [...coefficients].filter(([, coefficient]) => coefficient !== 0n).sort(([a], [b]) => a - b);
}

function textOf(combination: Combination): string {
  return combination.map(([place, coefficient]) => `${coefficient}·${place}`).join(' ');
}

/** Releases of one content are one, under whatever words. */
function contentOf({ parts, rowMax, rowParts }: Release): string {
  return `${rowMax} ${rowParts} ${parts.map(textOf).join(' | ')}`;
}
