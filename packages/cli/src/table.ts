/**
 * Tables for a terminal: text to the left, numbers to the right with their decimal points under each other.
 * @module
 */

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

/** The columns under their titles and a rule, two spaces apart, no trailing spaces; rows from `apartFrom` under another. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  apartFrom: number = rows.length,
): string {
  const widths = columns.map((column, index) =>
    Math.max(width(column.title), ...rows.map((row) => width(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map((column, index) => pad(cells[index] ?? '', widths[index]!, column.align))
      .join('  ')
      .trimEnd();
  const rule = widths.map((size) => '─'.repeat(size)).join('  ');
  const lines = rows.map(line);
  const apart = apartFrom === 0 || apartFrom >= rows.length ? [] : [rule, ...lines.splice(apartFrom)];
  return [line(columns.map((column) => column.title)), rule, ...lines, ...apart].join('\n');
}

/** Indents every line that is not empty. */
export function indent(text: string, by = 2): string {
  return text.replace(/^(?=.)/gm, ' '.repeat(by));
}

/** How many columns of a terminal the text takes; combining marks take none. */
function width(text: string): number {
  return [...text.normalize('NFC').replace(/\p{M}/gu, '')].length;
}

/** The texts of one column, filled up on the left to the same width. */
export function atRight(texts: readonly string[]): string[] {
  const widest = Math.max(0, ...texts.map(width));
  return texts.map((text) => pad(text, widest, 'right'));
}

function pad(text: string, size: number, align: Column['align']): string {
  const space = ' '.repeat(Math.max(0, size - width(text)));
  return align === 'left' ? text + space : space + text;
}

/** 12345.5 with 2 decimals is "12,345.50". Takes a decimal string, so that nothing is lost on the way. */
export function withThousands(decimal: string): string {
  const [whole = '0', fraction] = decimal.split('.');
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/**
 * The numbers of one column, as text of equal precision. Exact decimals of few digits stay exact; the others are
 * rounded to as many places as the largest of them deserves. What is not a number stays as it is.
 */
export function alignNumbers(cells: readonly (NumberCell | string)[]): string[] {
  const numbers = cells.filter((cell): cell is NumberCell => typeof cell !== 'string');
  const places = Math.max(0, ...numbers.map(({ exact }) => (exact === null ? placesMax + 1 : placesOf(exact))));
  const decimals = places <= placesMax ? places : placesFor(Math.max(...numbers.map(({ value }) => Math.abs(value))));
  const texts = cells.map((cell) => (typeof cell === 'string' ? cell : withThousands(roundTo(cell, decimals, places))));
  return texts;
}

/** A number and, where it terminates, the same number exactly. */
export interface NumberCell {
  readonly value: number;
  readonly exact: string | null;
}

/** More exact places than this are noise to a reader; `--json` has them all. */
export const placesMax = 4;

export function placesOf(decimal: string): number {
  return decimal.split('.')[1]?.length ?? 0;
}

function placesFor(largest: number): number {
  if (!Number.isFinite(largest) || largest >= 100) return 2;
  if (largest >= 1) return 4;
  if (largest === 0) return 1;
  return Math.min(12, 4 - Math.ceil(Math.log10(largest)));
}

function roundTo({ value, exact }: NumberCell, decimals: number, places: number): string {
  if (exact !== null && places <= placesMax) {
    const [whole = '0', fraction = ''] = exact.split('.');
    return decimals === 0 ? whole : `${whole}.${fraction.padEnd(decimals, '0')}`;
  }
  if (Math.abs(value) >= 1e15) return exact ?? value.toExponential(6);
  return value.toFixed(decimals).replace(/^-(?=[0.]*$)/, '');
}
