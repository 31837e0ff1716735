/**
 * CSV line by line: like the strict reading where no field holds a line end, and no line matters to another.
 * @module
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvHeader, csvRecords } from '../src/sources/csv-lines.ts';
import { lineBytesMax } from '../src/sources/text-lines.ts';

/** Header and records of a file that comes in chunks of these sizes, over and over. */
function read(file: string | Buffer, sizes: readonly number[] = [1 << 20]) {
  const bytes = Buffer.from(file);
  const pass = (see: (chunk: Buffer) => void) => {
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
      const size = sizes[turn % sizes.length]!;
      const chunk = Buffer.from(bytes.subarray(at, at + size));
      see(chunk);
      // A chunk is valid only during the call.
      chunk.fill(0x22);
      at += size;
    }
  };
  const header = csvHeader();
  pass(header.see);
  const names = header.end();
  const rows: (readonly string[])[] = [];
  const records = csvRecords(names.length, (fields) => rows.push(fields));
  pass(records.see);
  records.end();
  return { names, rows };
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

describe('a CSV file line by line', () => {
  it('gives the texts that were written, whatever the line ends and the chunks', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '"', ',', ' ', 'é', '😀', '\ufffd', "'") });
    const table = fc
      .integer({ min: 1, max: 4 })
      .chain((width) => fc.array(fc.array(text, { minLength: width, maxLength: width })));
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    fc.assert(
      fc.property(
        table,
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.boolean(),
        fc.boolean(),
        sizes,
        (rows, end, ends, mark, cut) => {
          const names = (rows[0] ?? ['']).map((_, at) => `c${at}`);
          const lines = [names, ...rows].map((row) => row.map(quoted).join(','));
          const file = (mark ? '\ufeff' : '') + lines.join(end) + (ends ? end : '');
          expect(read(file, cut)).toEqual({ names, rows });
        },
      ),
      { numRuns: 200 },
    );
  });

  it('closes a record at the end of its line, and leaves out what is not whole', () => {
    const whole = ['1,x', '"2","a ""b"", c"', '3,', ',', '4,a"b"'];
    const broken = ['5,"x', '6,"x"y', '7', '8,x,y', '', '"9', '"', '10,""x'];
    const lines = ['id,text', whole[0]!, ...broken, ...whole.slice(1)];
    const rows = [
      ['1', 'x'],
      ['2', 'a "b", c'],
      ['3', ''],
      ['', ''],
      ['4', 'a"b"'],
    ];
    expect(read(lines.join('\n'))).toEqual({ names: ['id', 'text'], rows });
  });

  it('leaves out what is no UTF-8, and a line that is too long, by their own bytes alone', () => {
    const long = (bytes: number) => `l,${'x'.repeat(bytes - 2)}`;
    const latin = Buffer.from('m,é\n', 'latin1');
    const file = Buffer.concat([
      Buffer.from(`id,text\na,1\n${long(lineBytesMax + 1)}\n`),
      latin,
      Buffer.from(`b,2\n${long(lineBytesMax)}\n${long(3 * lineBytesMax)}\nc,3\n${long(lineBytesMax + 1)}`),
    ]);
    for (const size of [1 << 20, 1 << 16, 777_777]) {
      expect(read(file, [size]).rows.map(([id]) => id)).toEqual(['a', 'b', 'l', 'c']);
    }
  });

  it('reads an empty line as an empty value where there is one column', () => {
    expect(read('age\n1\n\n3\n').rows).toEqual([['1'], [''], ['3']]);
  });

  it.each([
    ['', 'SOURCE_EMPTY'],
    ['\na,b\n', 'SOURCE_RAGGED'],
    ['a,"b\n1,2\n', 'SOURCE_RAGGED'],
    ['a,b,a\n1,2,3\n', 'SOURCE_DUPLICATE_HEADER'],
  ])('refuses what has no header: %j', (file, code) => {
    expect(() => read(file)).toThrow(expect.objectContaining({ code }));
  });
});
