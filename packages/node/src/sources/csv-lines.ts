/**
 * A CSV file line by line, for a reading in which no line may touch another.
 *
 * To the letter of RFC 4180 a quote that is not closed takes all that follows into its field, so one line could make any
 * number of others disappear. Here a line end closes the record wherever it stands: a line that is a whole record by
 * itself, with as many fields as the header, every quote closed and in UTF-8, is one; any other is left out, and whether it is
 * depends on its own bytes alone. The price is that a field cannot hold a line end: such a record is left out, and what
 * follows the line end within it is looked at like any line.
 *
 * What ends a line is seen from the first one: a line feed (after a carriage return or not), or a carriage return alone.
 * @module
 */
import { isUtf8 } from 'node:buffer';
import { SourceError } from '@folkmoot/core/errors.js';
import { refuseDoubles } from './csv-header.ts';

const [lf, cr] = [0x0a, 0x0d];
/** A longer line is left out, so that no line is ever more than this in memory. */
export const lineBytesMax = 1 << 20;
/** What stands for a line that is too long or no UTF-8: no whole record either. */
const noText = '"';
const none = Buffer.alloc(0);

export interface CsvLines {
  see(chunk: Buffer): void;
  /** The last line may have no end. */
  end(): void;
}

/** The header's names, from the beginning of a file. */
export interface CsvHeader {
  see(chunk: Buffer): void;
  /** @throws SourceError SOURCE_EMPTY, SOURCE_RAGGED or SOURCE_DUPLICATE_HEADER */
  end(): readonly string[];
}

export function csvHeader(): CsvHeader {
  let first: string | undefined;
  const lines = csvLines((line) => {
    first ??= line;
  });
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
export function csvRecords(width: number, record: (fields: readonly string[]) => void): CsvLines {
  let isHeader = true;
  return csvLines((line) => {
    if (isHeader) {
      isHeader = false;
      return;
    }
    const fields = fieldsOf(line);
    if (fields?.length === width) record(fields);
  });
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

/** Every line without its end. */
function csvLines(see: (line: string) => void): CsvLines {
  let lineEnd: number | undefined;
  let pending: Buffer = none;
  let isSkipping = false;

  const line = (bytes: Buffer, from: number, to: number): void => {
    const end = lineEnd === lf && to > from && bytes[to - 1] === cr ? to - 1 : to;
    // A line is left out by its own length, wherever the chunks of the file end.
    const isText = !isSkipping && to - from <= lineBytesMax;
    const text = isText ? bytes.toString('utf8', from, end) : noText;
    see(text.includes('\ufffd') && !isUtf8(bytes.subarray(from, end)) ? noText : text);
    isSkipping = false;
  };
  return {
    see(chunk) {
      const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      lineEnd ??= lineEndOf(bytes);
      let from = 0;
      if (lineEnd !== undefined) {
        for (let to = bytes.indexOf(lineEnd); to >= 0; to = bytes.indexOf(lineEnd, from)) {
          line(bytes, from, to);
          from = to + 1;
        }
      }
      // The chunk is valid only during the call.
      pending = Buffer.from(bytes.subarray(from));
      if (pending.length > lineBytesMax) {
        pending = none;
        isSkipping = true;
      }
    },
    end() {
      lineEnd ??= lf;
      if (pending.length > 0 || isSkipping) line(pending, 0, pending.length);
      pending = none;
    },
  };
}

/** Undefined where no line has ended yet: after a carriage return that is the last byte it is not known. */
function lineEndOf(bytes: Buffer): number | undefined {
  const [feed, carriage] = [bytes.indexOf(lf), bytes.indexOf(cr)];
  if (carriage < 0 || (feed >= 0 && feed < carriage)) return feed < 0 ? undefined : lf;
  if (carriage === bytes.length - 1) return undefined;
  return bytes[carriage + 1] === lf ? lf : cr;
}
