import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../src/channel/errors.ts';
import { decimalText, type Plain, parseDocument } from '../src/query/document.ts';

const anything = z.custom<Plain>(() => true);
const read = (text: string): Plain => parseDocument(text, anything, { name: 'x.yaml' });

function fault(run: () => unknown): InputError {
  try {
    run();
  } catch (error) {
    if (error instanceof InputError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('a document', () => {
  it('is read from YAML and from JSON alike', () => {
    const value = { a: 1, b: [true, null, 'no'], c: { d: 'x' } };
    expect(read('a: 1\nb: [true, null, no]\nc: { d: x }')).toEqual(value);
    expect(read(JSON.stringify(value, null, '\t'))).toEqual(value);
  });

  it('keeps dates and words as texts', () => {
    expect(read('[1950-01-01, yes, off, 1_000, 12:30]')).toEqual(['1950-01-01', 'yes', 'off', '1_000', '12:30']);
  });

  it('keeps a number only where it prints as it was written', () => {
    expect(read('[0.1, 100.50, 1e3, -0, +5, 9007199254740992, 007, 1.]')).toEqual([
      0.1, 100.5, 1000, 0, 5, 9007199254740992, 7, 1,
    ]);
    expect(read('[9007199254740993, -0.12345678901234567890, 1e22]')).toEqual([
      '9007199254740993',
      '-0.1234567890123456789',
      1e22,
    ]);
  });

  it('prints every double as the decimal that reads back as it', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e60, max: 1e60 }), (value) => {
        expect(Number(decimalText(value))).toBe(value === 0 ? 0 : value);
        expect(decimalText(value)).toMatch(/^-?(0|[1-9]\d*)(\.\d*[1-9])?$/);
      }),
    );
  });

  it('keeps every written decimal exact, as a number or as its digits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), fc.nat(20), (digits, scale) => {
        const sign = digits < 0n ? '-' : '';
        const all = (digits < 0n ? -digits : digits).toString().padStart(scale + 1, '0');
        const text = scale === 0 ? sign + all : `${sign}${all.slice(0, -scale)}.${all.slice(-scale)}`;
        const value = read(`[${text}]`) as [number | string];
        const plain = typeof value[0] === 'number' ? decimalText(value[0]) : value[0];
        const trimmed = text.includes('.') ? text.replace(/\.?0+$/, '') : text;
        expect(plain).toBe(/[1-9]/.test(trimmed) ? trimmed : '0');
      }),
    );
  });

  it.each(['0x10', '0o7', '.inf', '-.inf', '.nan', '1e400'])('refuses the number %s', (text) => {
    expect(fault(() => read(`a: ${text}`))).toMatchObject({ code: 'BAD_VALUE', field: 'a', line: 1, column: 4 });
  });

  it('refuses a text with half of a character in it', () => {
    expect(fault(() => read('a: "\\ud800"'))).toMatchObject({ code: 'BAD_VALUE', field: 'a' });
  });

  it('names the line and the column of a syntax error', () => {
    const error = fault(() => read('a: 1\nb: [1, 2\nc: 3\n'));
    expect(error.code).toBe('BAD_SYNTAX');
    expect(error.line).toBeGreaterThanOrEqual(2);
  });

  it('names a key that stands twice, with its line and column', () => {
    expect(fault(() => read('a:\n  b: 1\n  c: 2\n  b: 3\n'))).toMatchObject({
      code: 'DUPLICATE_KEY',
      field: 'a.b',
      line: 4,
      column: 3,
    });
    expect(fault(() => read('{"a": 1, "a": 2}')).code).toBe('DUPLICATE_KEY');
    expect(fault(() => read('{1: a, "1": b}')).code).toBe('DUPLICATE_KEY');
  });

  it('names an unknown key, with its line and column', () => {
    const schema = z.strictObject({ a: z.strictObject({ b: z.number() }) });
    const error = fault(() => parseDocument('a:\n  b: 1\n  size: 3', schema, { name: 'x.yaml' }));
    expect(error).toMatchObject({ code: 'UNKNOWN_KEY', field: 'a.size', line: 3, column: 3 });
    expect(error.message).toContain('line 3, column 3');
  });

  it('names a wrong value, with its line and column, and does not echo it', () => {
    const schema = z.strictObject({ list: z.array(z.number()) });
    const error = fault(() => parseDocument('list:\n  - 1\n  - secret', schema, { name: 'x.yaml' }));
    expect(error).toMatchObject({ code: 'BAD_VALUE', field: 'list[1]', line: 3, column: 5 });
    expect(error.message).not.toContain('secret');
  });

  it('names the place where a key is missing', () => {
    const schema = z.strictObject({ a: z.strictObject({ b: z.number() }) });
    expect(fault(() => parseDocument('a: {}', schema, { name: 'x' }))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'a.b',
    });
    expect(fault(() => parseDocument('', schema, { name: 'x.yaml' }))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'x.yaml',
    });
  });

  it('says of two forms the one that was meant', () => {
    const schema = z.strictObject({ m: z.union([z.literal('count'), z.strictObject({ sum: z.string() })]) });
    const unknown = fault(() => parseDocument('m: { sum: a, total: b }', schema, { name: 'x' }));
    expect(unknown).toMatchObject({ code: 'UNKNOWN_KEY', field: 'm.total' });
    const wrong = fault(() => parseDocument('m: { sum: 1 }', schema, { name: 'x' }));
    expect(wrong).toMatchObject({ code: 'BAD_VALUE', field: 'm.sum' });
  });

  it('refuses keys that every object has already, so that none is shadowed', () => {
    expect(fault(() => read('__proto__: { admin: true }')).code).toBe('UNKNOWN_KEY');
    expect(read('constructor: 1')).toEqual({ constructor: 1 });
    expect(fault(() => read('constructor: 1\nconstructor: 2')).code).toBe('DUPLICATE_KEY');
  });

  it('expands aliases, and refuses a bomb of them at once', () => {
    expect(read('a: &x [1, 2]\nb: *x')).toEqual({ a: [1, 2], b: [1, 2] });
    const levels = Array.from(
      { length: 12 },
      (_, n) => `l${n + 1}: &l${n + 1} [${Array(10).fill(`*l${n}`).join(', ')}]`,
    );
    expect(fault(() => read(`l0: &l0 [x]\n${levels.join('\n')}`)).code).toBe('BAD_SYNTAX');
  });

  it('refuses an alias that contains itself', () => {
    expect(fault(() => read('a: &x [*x]')).code).toBe('BAD_SYNTAX');
  });

  it.each([
    ['brackets', '['.repeat(200_000)],
    ['braces', '{a: '.repeat(100_000)],
    ['dashes', '- '.repeat(100_000)],
    ['a long text', 'x'.repeat(1 << 21)],
    ['two documents', 'a: 1\n---\nb: 2'],
    ['a tag', 'a: !!js/function "x"'],
    ['a key that is a list', '[a, b]: 1'],
    ['an unknown alias', 'a: *nobody'],
  ])('refuses %s with a typed error', (_, text) => {
    expect(fault(() => read(text)).code).toBe('BAD_SYNTAX');
  });

  it('reads or refuses any text, and never fails in another way', () => {
    const tokens = fc.constantFrom(
      'a',
      ':',
      ' ',
      '\n',
      '-',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '&x',
      '*x',
      '!',
      '|',
      '>',
      '1e9',
      '#',
      '\t',
      '?',
      '%',
      '~',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(tokens, { maxLength: 40 }).map((parts) => parts.join('')),
        ),
        (text) => {
          try {
            read(text);
          } catch (error) {
            expect(error).toBeInstanceOf(InputError);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
