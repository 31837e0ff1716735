/**
 * The header and the shape of a CSV file (RFC 4180 with a comma, UTF-8, any one kind of line end), read by ourselves.
 *
 * An engine that guesses renames double headers, drops ragged rows and swallows a trailing comma without a word. So one
 * pass over the bytes reads the header, counts the fields of every record and the records, and the engine is then told
 * all of it. A header's text is shown to no one: in a file without a header it would be a record.
 * @module
 */
import { SourceError } from '@folkmoot/core/errors.js';

const [quote, comma, lf, cr] = [0x22, 0x2c, 0x0a, 0x0d];
const byteOrderMark = [0xef, 0xbb, 0xbf];
/** Bytes that leave a plain field plain: whole runs of them need no second look. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) => ([quote, comma, lf, cr].includes(byte) ? 0 : 1));
/** A header beyond this is not one. */
const headerBytesMax = 1 << 20;

export interface CsvShape {
  readonly header: readonly string[];
  /** Records after the header. */
  readonly records: number;
}

export interface CsvScan {
  see(chunk: Buffer): void;
  /** @throws SourceError SOURCE_EMPTY, SOURCE_RAGGED or SOURCE_DUPLICATE_HEADER */
  end(): CsvShape;
}

/** Where a byte stands: before a field's first byte, in a plain field, in quotes, or after a quote within quotes. */
type Place = 'start' | 'plain' | 'quoted' | 'quote';

export function csvScan(): CsvScan {
  let place: Place = 'start';
  let fields = 0;
  let empty = true;
  let records = -1;
  let line = 1;
  let width = 0;
  let skipped = 0;
  let afterCr = false;
  let lineEnd: string | undefined;
  let fault: SourceError | undefined;
  const header: string[] = [];
  let name: number[] = [];

  const ragged = (detail: string): void => {
    fault ??= new SourceError('SOURCE_RAGGED', { detail: `${detail}, at line ${line}` });
  };
  const endField = (): void => {
    fields++;
    if (records < 0) {
      header.push(Buffer.from(name).toString('utf8'));
      name = [];
    }
    place = 'start';
  };
  const endRecord = (): void => {
    // An empty line among several columns is no record; in a file of one column it is an empty value.
    if (empty && width !== 1) {
      if (records < 0) ragged('the header is empty');
      return;
    }
    endField();
    if (records < 0) width = fields;
    else if (fields !== width) ragged(`${fields} fields where the header has ${width}`);
    records++;
    fields = 0;
    empty = true;
  };
  const endLine = (kind: string): void => {
    if (lineEnd !== undefined && lineEnd !== kind) ragged('line ends are of two kinds');
    lineEnd = kind;
    line++;
  };

  const see = (chunk: Buffer): void => {
    for (let at = 0; at < chunk.length; at++) {
      if (fault !== undefined) return;
      const byte = chunk[at]!;
      if (skipped >= 0 && skipped < 3) {
        if (byte === byteOrderMark[skipped]) {
          skipped++;
          continue;
        }
        skipped = -1;
      }
      if (place === 'quoted') {
        if (byte === quote) place = 'quote';
        else {
          if (byte === lf) line++;
          if (records < 0) name.push(byte);
        }
        continue;
      }
      if (afterCr) {
        afterCr = false;
        endLine(byte === lf ? 'crlf' : 'cr');
        if (byte === lf) continue;
      }
      if (byte === lf || byte === cr) {
        endRecord();
        if (byte === cr) afterCr = true;
        else endLine('lf');
        continue;
      }
      empty = false;
      if (byte === comma) endField();
      else if (byte === quote && place !== 'plain') place = place === 'quote' ? requote() : 'quoted';
      else if (place === 'quote') ragged('a quoted field goes on after its quotes');
      else {
        place = 'plain';
        if (records < 0) name.push(byte);
        else while (at + 1 < chunk.length && isPlain[chunk[at + 1]!] === 1) at++;
      }
    }
    if (name.length > headerBytesMax) ragged('the header does not end');
  };
  /** A doubled quote within quotes is one quote. */
  const requote = (): Place => {
    if (records < 0) name.push(quote);
    return 'quoted';
  };

  const end = (): CsvShape => {
    if (fault === undefined && place === 'quoted') ragged('a quoted field is not closed');
    if (fault === undefined && (!empty || fields > 0)) endRecord();
    if (fault !== undefined) throw fault;
    refuseDoubles(header);
    if (records < 1) throw new SourceError('SOURCE_EMPTY');
    return { header, records };
  };
  return { see, end };
}

/** @throws SourceError SOURCE_DUPLICATE_HEADER */
export function refuseDoubles(header: readonly string[]): void {
  if (new Set(header).size !== header.length) throw new SourceError('SOURCE_DUPLICATE_HEADER');
}
