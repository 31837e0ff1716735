/**
 * How well an answer agrees with the same figures computed over the pooled records: exact decimals to the last digit,
 * the others to a relative difference.
 * @module
 */

export interface Agreement {
  /** Figures that stand in both, suppressed and empty ones included. */
  readonly figures: number;
  /** Those equal to the last digit. */
  readonly identical: number;
  /** The largest relative difference among the others; Infinity where one side has a number and the other none. */
  readonly largestDifference: number;
}

/** Any two values of the form of an answer's rows. */
export function compareFigures(answer: unknown, pooled: unknown): Agreement {
  const differences = [...differencesOf(answer, pooled)];
  return {
    figures: differences.length,
    identical: differences.filter((difference) => difference === 0).length,
    largestDifference: Math.max(0, ...differences),
  };
}

/** The difference that divisions and roots in doubles may make. */
const differenceMax = 1e-9;

export function agrees({ largestDifference }: Agreement): boolean {
  return largestDifference <= differenceMax;
}

function* differencesOf(a: unknown, b: unknown): Generator<number> {
  if (typeof a === 'number' && typeof b === 'number') yield relative(a, b);
  else if (isRecord(a) && isRecord(b)) {
    if ('exact' in a && 'exact' in b) yield figureDifference(a, b);
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      if (key !== 'exact' && key !== 'value') yield* differencesOf(a[key], b[key]);
    }
  } else if (Array.isArray(a) && Array.isArray(b)) {
    for (let at = 0; at < Math.max(a.length, b.length); at++) yield* differencesOf(a[at], b[at]);
  } else if (a !== b) yield Number.POSITIVE_INFINITY;
}

/** A figure is one number in two spellings; where the exact ones differ, so do the figures, if only by a last digit. */
function figureDifference(a: Figure, b: Figure): number {
  const difference = relative(a.value, b.value);
  return a.exact === b.exact ? difference : Math.max(Number.EPSILON, difference);
}

type Figure = Readonly<Record<string, unknown>>;

function relative(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (typeof a !== 'number' || typeof b !== 'number') return Number.POSITIVE_INFINITY;
  return Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b));
}

function isRecord(value: unknown): value is Figure {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
