/**
 * An answer as text: one table of the plain measures, then one block for each composite one (regression, histogram,
 * test). Several readings of the same job (an answer, and the figures to compare it with) stand side by side. Beside a
 * noisy figure stands its interval, and below a protected answer what protects it.
 * @module
 */
import { remarks } from './answer-remarks.ts';
import {
  type AnswerLike,
  everything,
  isRecord,
  isSuppressed,
  isTotal,
  label,
  none,
  type Row,
  withheld,
} from './answer-row.ts';
import {
  alignFigures,
  type FigureCell,
  type FigureColumn,
  type Interval,
  noisyText,
  significantText,
} from './figure-text.ts';
import { protectionText } from './protection-text.ts';
import { alignNumbers, type Column, indent, type NumberCell, renderTable, withThousands } from './table.ts';

export interface Reading {
  /** `answer`, `pooled records`; not shown where there is only one reading. */
  readonly label: string;
  readonly answer: AnswerLike;
}

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
    const place = isTotal(row, groups) ? everything : groups.map((name) => `${name} ${label(row[name])}`).join(', ');
    for (const name of composites) blocks.push(compositeBlock(readings, name, index, place));
  });
  blocks.push(
    ...remarks(
      readings.map(({ answer }) => answer),
      groups,
      measures,
    ),
  );
  const { privacy } = first;
  if (privacy !== null && privacy !== undefined) blocks.push(protectionText(privacy));
  return blocks.join('\n\n');
}

/** One row of measures reads better downward: a line a measure, a column a reading. */
function listTable(readings: readonly Reading[], measures: readonly string[]): string {
  const noisy = readings.map(({ answer }) => measures.some((name) => intervalOf(answer.rows[0]![name]) !== undefined));
  const rows = measures.flatMap((name) => {
    const { values, intervals } = alignFigures(readings.map(({ answer }) => figureCell(answer.rows[0]![name])));
    const cells = values.flatMap((value, at) => (noisy[at] ? [value, intervals?.[at] ?? ''] : [value]));
    return [[name, ...cells], ...binRow(readings, name, noisy)];
  });
  const titles = readings.flatMap(({ label }, at) => [
    number(valueTitle(readings, label)),
    ...(noisy[at] ? [text(intervalTitle)] : []),
  ]);
  return renderTable([text('measure'), ...titles], rows);
}

/** The bin that a declared-bin median lies in, as a line of its own below it. */
function binRow(readings: readonly Reading[], name: string, noisy: readonly boolean[]): string[][] {
  const bins = readings.map(({ answer }) => binOf(answer.rows[0]![name]));
  if (bins.every((bin) => bin === undefined)) return [];
  return [['  within', ...bins.flatMap((bin, at) => (noisy[at] ? [bin ?? '', ''] : [bin ?? '']))]];
}

function groupTable(readings: readonly Reading[], groups: readonly string[], measures: readonly string[]): string {
  const places = readings[0]!.answer.rows.flatMap((_, index) => readings.map((reading) => ({ index, reading })));
  const body = measures.flatMap((name) => {
    const values = places.map(({ index, reading }) => reading.answer.rows[index]?.[name]);
    const figures = alignFigures(values.map(figureCell));
    const bins = values.map(binOf);
    return [
      ...figureColumns(name, figures),
      ...(bins.some((bin) => bin !== undefined)
        ? [{ title: `${name} within`, cells: bins.map((bin) => bin ?? '') }]
        : []),
    ];
  });
  const columns = [
    ...groups.map(text),
    ...(readings.length > 1 ? [text('')] : []),
    ...body.map(({ title }) => number(title)),
  ];
  const rows = places.map(({ index, reading }, line) => [
    ...(reading === readings[0] ? keyCells(reading.answer.rows[index]!, groups) : groups.map(() => '')),
    ...(readings.length > 1 ? [reading.label] : []),
    ...body.map(({ cells }) => cells[line]!),
  ]);
  const last = readings[0]!.answer.rows.length - 1;
  const totalFrom = isTotal(readings[0]!.answer.rows[last]!, groups) ? last * readings.length : undefined;
  return renderTable(columns, rows, totalFrom);
}

const intervalTitle = '95%';

/** The group's values; the total over all groups has one word for them all. */
function keyCells(row: Row, groups: readonly string[]): string[] {
  return groups.map((name, at) => (isTotal(row, groups) ? (at === 0 ? everything : '') : label(row[name])));
}

/** The values, and where there are any their intervals. */
function figureColumns(title: string, { values, intervals }: FigureColumn) {
  return [{ title, cells: values }, ...(intervals === undefined ? [] : [{ title: intervalTitle, cells: intervals }])];
}

function compositeBlock(readings: readonly Reading[], name: string, index: number, place: string): string {
  const values = readings.map(({ answer }) => answer.rows[index]?.[name]);
  const heading = place === '' ? name : `${name} (${place})`;
  const shown = values.find((value) => kindOf(value) !== 'figure');
  if (shown === undefined) return `${heading}: ${isSuppressed(values[0]) ? withheld : none}`;
  const parts = values.map((value) => compositeCells(kindOf(shown), value));
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

function compositeCells(kind: Kind, value: unknown): Part {
  const composite = (isRecord(value) ? value : {}) as Composite;
  if (kind === 'histogram') return histogramCells(composite);
  return kind === 'regression' ? regressionCells(composite) : testCells(composite);
}

function testCells(test: Composite): Part {
  const noisy = isRecord(test.ci95);
  const rows = ['statistic', 'df', 'p'].map((key) => {
    const interval = noisy ? asInterval((test.ci95 as Row)[key]) : undefined;
    if (key === 'p') return { label: key, cells: [probability(test.p), interval?.map(probability) ?? ''] };
    const numeric = numericOf(test[key]);
    if (numeric === undefined) return { label: key, cells: [none, ''] };
    if (interval === undefined) return { label: key, cells: [alignNumbers([numberCell(test[key])])[0]!, ''] };
    const { value, interval: around } = noisyText(numeric, interval);
    return { label: key, cells: [value, around] };
  });
  const cellsOf = (cells: readonly (string | string[])[]) =>
    cells.slice(0, noisy ? 2 : 1).map((cell) => (typeof cell === 'string' ? cell : `[${cell.join(', ')}]`));
  return {
    title: '',
    columns: noisy ? ['value', intervalTitle] : ['value'],
    rows: rows.map(({ label, cells }) => ({ label, cells: cellsOf(cells) })),
  };
}

function regressionCells(fit: Composite): Part {
  const coefficients = (isRecord(fit.coefficients) ? fit.coefficients : {}) as Composite;
  const errors = (isRecord(fit.standard_errors) ? fit.standard_errors : {}) as Composite;
  const intervals = isRecord(fit.ci95) ? fit.ci95 : undefined;
  const cells = (value: unknown, interval: Interval | undefined, error: string): string[] => {
    const numeric = numericOf(value);
    const plain = { value: numeric === undefined ? none : significantText(numeric), interval: '' };
    const shown = numeric === undefined || interval === undefined ? plain : noisyText(numeric, interval);
    return intervals === undefined ? [shown.value, error] : [shown.value, shown.interval, error];
  };
  const intervalAt = (key: string) => asInterval(intervals?.[key]);
  const terms = Object.keys(coefficients).map((term) => {
    const error = numericOf(errors[term]);
    const text = error === undefined ? none : significantText(error);
    return { label: term, cells: cells(coefficients[term], intervalAt(term), text) };
  });
  const count = alignNumbers([numberCell(fit.n)])[0]!;
  return {
    title: 'term',
    columns: ['coefficient', ...(intervals === undefined ? [] : [intervalTitle]), 'std. error'],
    rows: [
      ...terms,
      { label: 'R²', cells: cells(fit.r2, intervalAt('r2'), '') },
      { label: 'n', cells: intervals === undefined ? [count, ''] : [count, '', ''] },
    ],
  };
}

function histogramCells(histogram: Composite): Part {
  const rows = barRows(histogram).map(({ label, figure }) => ({ label, cell: figureCell(figure) }));
  const columns = figureColumns('count', alignFigures(rows.map(({ cell }) => cell)));
  return {
    title: 'bin',
    columns: columns.map(({ title }) => title),
    rows: rows.map(({ label }, i) => ({ label, cells: columns.map(({ cells }) => cells[i]!) })),
  };
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
  const bars = values.map((value) => '█'.repeat(Math.round((Math.max(0, value) / largest) * barWidth)));
  return bars.some((bar) => bar !== '') ? bars : [];
}

type Kind = 'figure' | 'histogram' | 'regression' | 'test';

function kindOf(value: unknown): Kind {
  if (!isRecord(value)) return 'figure';
  if ('bins' in value) return 'histogram';
  if ('coefficients' in value) return 'regression';
  return 'statistic' in value ? 'test' : 'figure';
}

function figureCell(value: unknown): FigureCell {
  return isSuppressed(value) ? { figure: withheld } : { figure: numberCell(value), interval: intervalOf(value) };
}

function intervalOf(value: unknown): Interval | undefined {
  return isRecord(value) ? asInterval(value.ci95) : undefined;
}

function asInterval(value: unknown): Interval | undefined {
  return Array.isArray(value) && value.length === 2 ? [Number(value[0]), Number(value[1])] : undefined;
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

function isMeasure(value: unknown): boolean {
  return isRecord(value);
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
