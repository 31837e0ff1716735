/**
 * A CSV file line by line, for a reading in which no line may touch another.
 *
 * To the letter of RFC 4180 a quote that is not closed takes all that follows into its field, so one line could make any
 * number of others disappear. Here a line end closes the record wherever it stands: a line that is a whole record by
 * itself, in UTF-8, with every quote closed and as many fields as the header, is one. Any other is left out, and whether
 * it is depends on its own bytes alone. The price is that a field cannot hold a line end: such a record is left out, and
 * what follows the line end within it is looked at like any line.
 * @module
 */
import { SourceError } from '@folkmoot/core/errors.js';
import { refuseDoubles } from './csv-header.ts';
import { type TextLines, textLines } from './text-lines.ts';

const csvEnds = { orCr: true };

/** The header's names, from the beginning of a file. */
export interface CsvHeader {
  see(chunk: Buffer): void;
  /** @throws SourceError SOURCE_EMPTY, SOURCE_RAGGED or SOURCE_DUPLICATE_HEADER */
  end(): readonly string[];
}

/** What stands for a first line that cannot be read: no header either. */
const noNames = '';

export function csvHeader(): CsvHeader {
  let first: string | undefined;
  const lines = textLines((line) => {
    first ??= line ?? noNames;
  }, csvEnds);
  return {
    see: (chunk) => {
      if (first === undefined) lines.see(chunk);
    },
    end() {
      if (first === undefined) lines.end();
      if (first === undefined) throw new SourceError('SOURCE_EMPTY');
      const names = fieldsOf(withoutMark(first));
      if (names === undefined || names.join('') === '') {
        throw new SourceError('SOURCE_RAGGED', { detail: 'the header is not one line of names' });
      }
      refuseDoubles(names);
      return names;
    },
  };
}

/** All whole records below the header. */
export function csvRecords(width: number, record: (fields: readonly string[]) => void): TextLines {
  let isHeader = true;
  return textLines((line) => {
    if (isHeader) {
      isHeader = false;
      return;
    }
    const fields = line === undefined ? undefined : fieldsOf(line);
    if (fields?.length === width) record(fields);
  }, csvEnds);
}

function withoutMark(line: string): string {
  return line.startsWith('\ufeff') ? line.slice(1) : line;
}

/** The fields of a line; undefined where a quoted one is not closed, or goes on after its quotes. */
function fieldsOf(line: string): readonly string[] | undefined {
  if (!line.includes('"')) return line.split(',');
  const fields: string[] = [];
  for (let at = 0; ; at++) {
    if (line[at] === '"') {
      let text = '';
      for (at++; ; at++) {
        const quote = line.indexOf('"', at);
        if (quote < 0) return undefined;
        text += line.slice(at, quote);
        at = quote + 1;
        if (line[at] !== '"') break;
        text += '"';
      }
      fields.push(text);
    } else {
      const comma = line.indexOf(',', at);
      const end = comma < 0 ? line.length : comma;
      fields.push(line.slice(at, end));
      at = end;
    }
    if (at >= line.length) return fields;
    if (line[at] !== ',') return undefined;
  }
}
