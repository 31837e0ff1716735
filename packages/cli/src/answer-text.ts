/**
 * An answer as text: one table of the plain measures, then one block for each composite one (regression, histogram,
 * test). Several readings of the same job (an answer, and the figures to compare it with) stand side by side.
 * @module
 */
import { alignNumbers, type Column, indent, type NumberCell, renderTable, withThousands } from './table.ts';

/** As much of an answer as text needs: rows of group values and measures, in the form that `--json` prints. */
export interface AnswerLike {
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  readonly threshold: number;
}

export interface Reading {
  /** `answer`, `pooled records`; not shown where there is only one reading. */
  readonly label: string;
  readonly answer: AnswerLike;
}

type Row = Readonly<Record<string, unknown>>;
type Composite = Readonly<Record<string, unknown>>;

/** The whole answer. All readings have the same rows, in the same order. */
export function renderAnswer(readings: readonly Reading[]): string {
  const first = readings[0]!.answer;
  const sample = first.rows[0] ?? {};
  const groups = Object.keys(sample).filter((name) => !isMeasure(sample[name]));
  const measures = Object.keys(sample).filter((name) => isMeasure(sample[name]));
  // A suppressed composite looks like a plain figure: the other rows tell what it is.
  const composites = measures.filter((name) =>
    readings.some(({ answer }) => answer.rows.some((row) => kindOf(row[name]) !== 'figure')),
  );
  const plain = measures.filter((name) => !composites.includes(name));
  const blocks = [first.title];
  if (plain.length > 0) {
    blocks.push(groups.length === 0 ? listTable(readings, plain) : groupTable(readings, groups, plain));
  }
  first.rows.forEach((row, index) => {
    const place = groups.map((name) => `${name} ${label(row[name])}`).join(', ');
    for (const name of composites) blocks.push(compositeBlock(readings, name, index, place));
  });
  if (readings.some(({ answer }) => answer.rows.some((row) => measures.some((name) => isSuppressed(row[name]))))) {
    blocks.push(
      `${hidden(first)}: suppressed; fewer than ${first.threshold} people stand behind the figure, or behind what it leaves out.`,
    );
  }
  return blocks.join('\n\n');
}

/** One row of measures reads better downward: a line a measure, a column a reading. */
function listTable(readings: readonly Reading[], measures: readonly string[]): string {
  const rows = measures.flatMap((name) => {
    const cells = readings.map(({ answer }) => figureCell(answer, answer.rows[0]![name]));
    return [[name, ...alignNumbers(cells)], ...binRow(readings, name)];
  });
  return renderTable([text('measure'), ...readings.map(({ label }) => number(valueTitle(readings, label)))], rows);
}

/** The bin that a declared-bin median lies in, as a line of its own below it. */
function binRow(readings: readonly Reading[], name: string): string[][] {
  const bins = readings.map(({ answer }) => binOf(answer.rows[0]![name]));
  return bins.every((bin) => bin === undefined) ? [] : [['  within', ...bins.map((bin) => bin ?? '')]];
}

function groupTable(readings: readonly Reading[], groups: readonly string[], measures: readonly string[]): string {
  const columns = [
    ...groups.map(text),
    ...(readings.length > 1 ? [text('')] : []),
    ...measures.flatMap((name) => [
      number(name),
      ...(readings.some(({ answer }) => answer.rows.some((row) => binOf(row[name]) !== undefined))
        ? [number(`${name} within`)]
        : []),
    ]),
  ];
  const places = readings[0]!.answer.rows.flatMap((_, index) => readings.map((reading) => ({ index, reading })));
  const body = measures.flatMap((name) => {
    const values = places.map(({ index, reading }) => reading.answer.rows[index]?.[name]);
    const figures = alignNumbers(values.map((value, i) => figureCell(places[i]!.reading.answer, value)));
    const bins = values.map(binOf);
    return bins.some((bin) => bin !== undefined) ? [figures, bins.map((bin) => bin ?? '')] : [figures];
  });
  const rows = places.map(({ index, reading }, line) => [
    ...groups.map((name) => (reading === readings[0] ? label(reading.answer.rows[index]?.[name]) : '')),
    ...(readings.length > 1 ? [reading.label] : []),
    ...body.map((column) => column[line]!),
  ]);
  return renderTable(columns, rows);
}

function compositeBlock(readings: readonly Reading[], name: string, index: number, place: string): string {
  const values = readings.map(({ answer }) => answer.rows[index]?.[name]);
  const heading = place === '' ? name : `${name} (${place})`;
  const shown = values.find((value) => kindOf(value) !== 'figure');
  if (shown === undefined) return `${heading}: ${isSuppressed(values[0]) ? hidden(readings[0]!.answer) : none}`;
  const parts = values.map((value, i) => compositeCells(kindOf(shown), value, readings[i]!.answer));
  const lines = parts[0]!.rows.map((row, line) => [
    row.label,
    ...parts.flatMap((part) => part.rows[line]?.cells ?? []),
  ]);
  const columns = [
    text(parts[0]!.title),
    ...parts.flatMap((part, i) =>
      part.columns.map((title) => number(readings.length > 1 ? `${title} (${readings[i]!.label})` : title)),
    ),
  ];
  const bars = kindOf(shown) === 'histogram' && readings.length === 1 ? barsOf(shown as Composite) : [];
  const rows = lines.map((cells, line) => [...cells, bars[line] ?? '']);
  return `${heading}\n${indent(renderTable([...columns, ...(bars.length > 0 ? [text('')] : [])], rows))}`;
}

interface Part {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly label: string; readonly cells: readonly string[] }[];
}

function compositeCells(kind: Kind, value: unknown, answer: AnswerLike): Part {
  const composite = (isRecord(value) ? value : {}) as Composite;
  if (kind === 'histogram') return histogramCells(composite, answer);
  if (kind === 'regression') return regressionCells(composite);
  return {
    title: '',
    columns: ['value'],
    rows: ['statistic', 'df', 'p'].map((key) => ({
      label: key,
      cells: [key === 'p' ? probability(composite[key]) : alignNumbers([numberCell(composite[key])])[0]!],
    })),
  };
}

function regressionCells(fit: Composite): Part {
  const coefficients = (isRecord(fit.coefficients) ? fit.coefficients : {}) as Composite;
  const errors = (isRecord(fit.standard_errors) ? fit.standard_errors : {}) as Composite;
  const terms = Object.keys(coefficients).map((term) => ({
    label: term,
    cells: [significant(coefficients[term]), significant(errors[term])],
  }));
  return {
    title: 'term',
    columns: ['coefficient', 'std. error'],
    rows: [
      ...terms,
      { label: 'R²', cells: [significant(fit.r2), ''] },
      { label: 'n', cells: [alignNumbers([numberCell(fit.n)])[0]!, ''] },
    ],
  };
}

function histogramCells(histogram: Composite, answer: AnswerLike): Part {
  const rows = barRows(histogram).map(({ label, figure }) => ({ label, cell: figureCell(answer, figure) }));
  const cells = alignNumbers(rows.map(({ cell }) => cell));
  return { title: 'bin', columns: ['count'], rows: rows.map(({ label }, i) => ({ label, cells: [cells[i]!] })) };
}

/** Bins in ascending order, with what lies outside at the two ends where it is given. */
function barRows(histogram: Composite): { label: string; figure: unknown }[] {
  const bins = (Array.isArray(histogram.bins) ? histogram.bins : []) as Composite[];
  const inside = bins.map((bin, i) => ({
    label: `[${edge(bin.from)}, ${edge(bin.to)}${i === bins.length - 1 ? ']' : ')'}`,
    figure: bin,
  }));
  const below = histogram.below === undefined ? [] : [{ label: 'below', figure: histogram.below }];
  const above = histogram.above === undefined ? [] : [{ label: 'above', figure: histogram.above }];
  return [...below, ...inside, ...above];
}

const barWidth = 24;

function barsOf(histogram: Composite): string[] {
  const values = barRows(histogram).map(({ figure }) => numericOf(figure) ?? 0);
  const largest = Math.max(1, ...values);
  return values.map((value) => '█'.repeat(Math.round((value / largest) * barWidth)));
}

type Kind = 'figure' | 'histogram' | 'regression' | 'test';

function kindOf(value: unknown): Kind {
  if (!isRecord(value)) return 'figure';
  if ('bins' in value) return 'histogram';
  if ('coefficients' in value) return 'regression';
  return 'statistic' in value ? 'test' : 'figure';
}

const none = '–';

function hidden(answer: AnswerLike): string {
  return `< ${answer.threshold}`;
}

function figureCell(answer: AnswerLike, value: unknown): NumberCell | string {
  return isSuppressed(value) ? hidden(answer) : numberCell(value);
}

/** A figure `{ value, exact }` or a bare number. */
function numberCell(value: unknown): NumberCell | string {
  const numeric = numericOf(value);
  if (numeric === undefined) return none;
  const exact = isRecord(value) && typeof value.exact === 'string' ? value.exact : null;
  return { value: numeric, exact: exact ?? (Number.isSafeInteger(numeric) ? String(numeric) : null) };
}

function numericOf(value: unknown): number | undefined {
  const number = isRecord(value) ? value.value : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** Six significant digits: coefficients of one fit may be of very different sizes. */
function significant(value: unknown): string {
  const numeric = numericOf(value);
  if (numeric === undefined) return none;
  if (numeric !== 0 && (Math.abs(numeric) < 1e-6 || Math.abs(numeric) >= 1e12)) return numeric.toExponential(5);
  const digits = numeric === 0 ? 0 : Math.max(0, 5 - Math.floor(Math.log10(Math.abs(numeric))));
  return withThousands(numeric.toFixed(digits));
}

function probability(value: unknown): string {
  const numeric = numericOf(value);
  if (numeric === undefined) return none;
  return numeric < 0.0001 ? '< 0.0001' : numeric.toFixed(4);
}

function binOf(value: unknown): string | undefined {
  if (!isRecord(value) || value.from === undefined || value.to === undefined || 'bins' in value) return undefined;
  if (value.from === null && value.to === null) return undefined;
  if (value.from === null) return `below ${edge(value.to)}`;
  if (value.to === null) return `above ${edge(value.from)}`;
  return `${edge(value.from)} – ${edge(value.to)}`;
}

function edge(value: unknown): string {
  return withThousands(String(value));
}

function label(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return value === null || value === undefined ? none : String(value);
}

function isMeasure(value: unknown): boolean {
  return isRecord(value);
}

/** The value itself, or any part of a composite. */
function isSuppressed(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isSuppressed);
  return isRecord(value) && (value.suppressed === true || Object.values(value).some(isSuppressed));
}

function isRecord(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueTitle(readings: readonly Reading[], label: string): string {
  return readings.length > 1 ? label : 'value';
}

function text(title: string): Column {
  return { title, align: 'left' };
}

function number(title: string): Column {
  return { title, align: 'right' };
}
