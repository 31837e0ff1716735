/**
 * Numbers over pooled records, from the texts that the engine writes them as: as they are, rounded, and divided.
 * @module
 */

/** A text as the engine writes it, or null. */
export type Cell = string | null;

export const none = { value: null, exact: null };

export function scalar(cell: Cell | undefined): unknown {
  return cell === null || cell === undefined || !Number.isFinite(Number(cell))
    ? none
    : { value: Number(cell), exact: cell };
}

/** A decimal as the engine writes it, in units of its last digit. */
function parsed(text: string): { units: bigint; digits: number } {
  const [whole = '0', fraction = ''] = text.split('.');
  return { units: BigInt(whole + fraction), digits: fraction.length };
}

/** Units with this many digits after the point. */
function written(units: bigint, digits: number): string {
  const magnitude = String(units < 0n ? -units : units).padStart(digits + 1, '0');
  const at = magnitude.length - digits;
  return `${units < 0n ? '-' : ''}${magnitude.slice(0, at)}${digits === 0 ? '' : `.${magnitude.slice(at)}`}`;
}

/** ⌊a/b + 1/2⌋ for b above 0. */
function nearest(a: bigint, b: bigint): bigint {
  const over = 2n * a + b;
  return over / (2n * b) - (over < 0n && over % (2n * b) !== 0n ? 1n : 0n);
}

/** To the nearest multiple of the base. */
function atBase(cell: Cell | undefined, round: number): Cell {
  if (round === 1 || cell === null || cell === undefined) return cell ?? null;
  const { units, digits } = parsed(cell);
  const base = BigInt(round) * 10n ** BigInt(digits);
  return written(nearest(units, base) * base, digits);
}

export const rounded = (cell: Cell | undefined, round: number): unknown => scalar(atBase(cell, round));

/** The quotient of two sums, which are rounded first; to so many digits after the point where it opens without them. */
export function quotient(sums: readonly Cell[], round: number, places?: number): unknown {
  const [over, under] = sums.map((cell) => atBase(cell, round));
  if (over == null || under == null || Number(under) === 0) return none;
  if (places === undefined) return scalar(String(Number(over) / Number(under)));
  const [a, b] = [parsed(over), parsed(under)];
  const top = a.units * 10n ** BigInt(places + b.digits);
  const text = written(nearest(top, b.units * 10n ** BigInt(a.digits)), places);
  return scalar(text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''));
}
