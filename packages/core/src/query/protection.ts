/**
 * How a job is protected: its releases, what each may spend, and the noise that follows, from public texts alone.
 *
 *   local sums → combinations → lattice → share → noise of every party → open → estimates → measures
 *
 * Every party computes the same protection from the same documents; nothing in it depends on a record. One party's part
 * of the work is `combine`. What is shared are multiples of each release's lattice, in the smallest ring that all values
 * and the noise of all parties fit (but for a chance below 2^−128 a number that the noise alone leaves it): a party's own
 * values are clamped to what `max_rows` rows can reach, so they fit however many rows it has.
 *
 * In a join nobody has a value of its own:
 *
 *   shares of sums → combinations of shares → noise of both parties → open → estimates → measures
 *
 * Shares cannot be clamped: the bound is what as many pairs of rows can reach as two sets of the largest class have, which
 * are all that are ever matched. Nor can they be rounded down: in its place each party's noise, a multiple of the lattice, has
 * a uniform number below the lattice added to it, which protects the same (privacy/sensitivity.ts). What is shared and
 * opened are then integers and not multiples.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { rings } from '../algebra/ring.ts';
import { InputError } from '../channel/errors.ts';
import { noiseBound } from '../privacy/mechanism.ts';
import type { Person } from '../privacy/sensitivity.ts';
import { type Allotted, type Budget, budgetsOf, type Charge, type Unit } from './budget.ts';
import type { CheckedJob } from './check-job.ts';
import { columnPath, type Dataset } from './dictionary.ts';
import type { Layout } from './encode.ts';
import type { Mechanism } from './privacy-terms.ts';
import { type PlacedMeasure, type PlacedRelease, releasesOf } from './release/releases.ts';
import type { LocalQuery, LocalResult } from './statistic.ts';

export type { Charge, Unit } from './budget.ts';

/** A release with the noise that protects it. */
export type ProtectedRelease = PlacedRelease &
  Allotted & {
    /** What `max_rows` rows can make of any of its parts: no contributor's part is beyond it. */
    readonly partMax: bigint;
  };

export interface Protection {
  readonly mechanism: Mechanism;
  readonly parties: number;
  /** The parties whose noise suffices. */
  readonly honest: number;
  readonly person: Person;
  readonly releases: readonly ProtectedRelease[];
  readonly measures: readonly PlacedMeasure[];
  readonly charge: Charge;
  /** Whether the noise is dithered, since nobody has a value to round down: of a join. */
  readonly isDithered: boolean;
  /** Of all parts of all releases, in order: `encode(layout, …)` takes `[part][cell]`, of values or of noise. */
  readonly layout: Layout;
}

/**
 * The protection of a job among so many parties. `units` are what the parties' budgets for the dataset count; none where
 * that is not known.
 * @throws InputError NOT_SUPPORTED for a measure that cannot be protected; OVERFLOW, naming column and bound; BAD_VALUE
 *   where the noise would be too large to draw
 */
export function protect(checked: CheckedJob, query: LocalQuery, parties: number, units: Iterable<Unit>): Protection {
  const { privacy, dataset, join } = checked;
  assert(privacy !== null, 'only a protected job has a protection');
  assert(privacy.collusion < parties, 'one party at least is honest');
  const { releases, measures } = releasesOf(checked, query);
  const person = personOf(dataset, parties);
  const crowd = { parties, collusion: privacy.collusion };
  const { mechanism, noises, charge } = chosen(
    budgetsOf(privacy, { releases, person, crowd, cells: query.cells }, units),
  );
  const placed = releases.map((release, at): ProtectedRelease => {
    return { ...release, ...noises[at]!, partMax: BigInt(dataset.max_rows) * release.rowMax };
  });
  return {
    mechanism,
    parties,
    honest: parties - privacy.collusion,
    person,
    releases: placed,
    measures,
    charge,
    isDithered: join !== null,
    layout: layoutOf(placed, query, join === null ? parties : null),
  };
}

/** The one of the smallest error, over all releases alike. */
function chosen(budgets: readonly Budget[]): Budget {
  return budgets.reduce((best, other) => (other.error < best.error ? other : best));
}

/** How often one person can stand in the rows that parties pool: from the dictionary alone. */
export function personOf({ unit, max_rows_per_unit, max_parties_per_unit }: Dataset, parties: number): Person {
  if (unit === 'row') return { rows: 1n, parties: 1n };
  return { rows: BigInt(max_rows_per_unit), parties: BigInt(Math.min(max_parties_per_unit, parties)) };
}

/**
 * The dataset as protected jobs read it: nothing is refused because of a record. Nulls are dropped where they would be
 * refused, as is what has the wrong form; values outside the bounds are clamped, rows beyond a person's are left out, and
 * so are rows of nobody. An empty source is answered like any other, and so is one of too many rows, all of which count
 * (up to the clamp of `combine`).
 */
export function protectedDataset(dataset: Dataset): Dataset {
  const columns = Object.entries(dataset.columns).map(([name, column]) => {
    if (column.type === 'identifier') return [name, column];
    const nulls = column.nulls === 'refuse' ? 'drop' : column.nulls;
    return [name, 'outside' in column ? { ...column, nulls, outside: 'clamp' } : { ...column, nulls }];
  });
  return { ...dataset, extra_rows: 'keep_first', columns: Object.fromEntries(columns), lenient: true };
}

/** `pooled` is how many parties bring values; null for a join. */
function layoutOf(releases: readonly ProtectedRelease[], query: LocalQuery, pooled: number | null): Layout {
  const chosenRings = releases.flatMap((release) => {
    const bound = pooled === null ? ditheredBound(release) : boundOf(release, pooled);
    const ring = rings.find(({ bits }) => bound < 1n << BigInt(bits - 1));
    if (ring === undefined) throw overflow(release, query, bound, pooled === null ? 1n : release.lattice);
    return release.parts.map(() => ring);
  });
  const sections = rings.map((ring) => ({
    label: `noisy/${ring.bits}`,
    ring,
    statistics: chosenRings.flatMap((own, at) => (own === ring ? [at] : [])),
  }));
  return { sections: sections.filter(({ statistics }) => statistics.length > 0), cells: query.cells };
}

/** What `combine` can give at all parties (one step beyond the clamp, where it is rounded down), and the noise. */
function boundOf({ partMax, lattice, noise }: ProtectedRelease, parties: number): bigint {
  return BigInt(parties) * (partMax / lattice + 1n) + noiseBound(noise);
}

/** What all pairs can give, and the noise with what every party adds below the lattice. */
function ditheredBound({ partMax, lattice, noise }: ProtectedRelease): bigint {
  return partMax + lattice * (noiseBound(noise) + BigInt(noise.parties));
}

function overflow(release: ProtectedRelease, query: LocalQuery, bound: bigint, unit: bigint): InputError {
  const names = new Set(release.parts.flat().flatMap(([place]) => query.statistics[place]!.product));
  return new InputError('OVERFLOW', {
    field: [...names].map((name) => columnPath(query.dataset, name)).join(', '),
    detail: `${release.what}, with its noise, can reach ${bound} multiples of ${unit}`,
  });
}

/**
 * One party's parts, `[part][cell]`: clamped, then the multiples of each release's lattice, rounded down.
 *
 * Where a party has more rows than `max_rows` none is left out, since one person's row would then push out another's;
 * only the sums are clamped. A clamp never moves two sums further apart, so a person counts for no more than before.
 */
export function combine({ releases, isDithered, layout: { cells } }: Protection, local: LocalResult): bigint[][] {
  assert(!isDithered, 'in a join nobody has a value to round down');
  return releases.flatMap(({ parts, lattice, partMax }) =>
    parts.map((combination) =>
      Array.from({ length: cells }, (_, cell) => {
        let value = 0n;
        for (const [place, coefficient] of combination) value += coefficient * local[place]![cell]!;
        return floor(value < -partMax ? -partMax : value > partMax ? partMax : value, lattice);
      }),
    ),
  );
}

function floor(value: bigint, step: bigint): bigint {
  const quotient = value / step;
  return value < 0n && quotient * step !== value ? quotient - 1n : quotient;
}
