/**
 * How well an answer agrees with the same figures computed over the pooled records: exact decimals to the last digit,
 * the others to a relative difference; and of a noisy answer, how many of its intervals hold the figure without noise.
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

export interface Coverage {
  /** Noisy figures with an interval whose figure without noise is known. */
  readonly intervals: number;
  /** Those whose interval holds it. */
  readonly covering: number;
}

/** Takes the rows of a noisy answer, and the same rows without noise. */
export function coverageOf(noisy: unknown, exact: unknown): Coverage {
  const held = [...heldIn(noisy, exact)];
  return { intervals: held.length, covering: held.filter(Boolean).length };
}

/** Whether each interval holds its figure; intervals stand beside the figure, or under the names of a composite's figures. */
function* heldIn(noisy: unknown, exact: unknown): Generator<boolean> {
  if (Array.isArray(noisy) && Array.isArray(exact)) {
    for (const [at, part] of noisy.entries()) yield* heldIn(part, exact[at]);
    return;
  }
  if (!isRecord(noisy) || !isRecord(exact)) return;
  const { ci95, ...parts } = noisy;
  if (Array.isArray(ci95)) yield* heldBy(ci95, exact.value);
  else if (isRecord(ci95)) {
    const named = isRecord(exact.coefficients) ? { ...exact, ...exact.coefficients } : exact;
    for (const [name, interval] of Object.entries(ci95)) yield* heldBy(interval, named[name]);
  }
  for (const [name, part] of Object.entries(parts)) yield* heldIn(part, exact[name]);
}

function* heldBy(interval: unknown, figure: unknown): Generator<boolean> {
  if (Array.isArray(interval) && typeof figure === 'number') yield interval[0] <= figure && figure <= interval[1];
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
