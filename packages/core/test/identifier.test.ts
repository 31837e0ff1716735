import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, toHex, utf8 } from '../src/algebra/bytes.ts';
import { charterHash, charterText, parseCharter } from '../src/query/charter.ts';
import type { IdentifierColumn } from '../src/query/dictionary.ts';
import {
  canonicalIdentifier,
  identifierKey,
  identifierKeys,
  keptIdentifier,
  newTally,
  normaliseIdentifier,
} from '../src/query/identifier.ts';
import { charter, charterWith } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const column = (normalise?: IdentifierColumn['normalise'], check?: IdentifierColumn['check']): IdentifierColumn => ({
  type: 'identifier',
  normalise,
  check,
});
const exact = column();
const digits = column('digits');
const nhs = column('digits', 'nhs');
const uprn = column('digits', 'uprn');
const alnum = column('upper-alnum');
const lower = column('nfkc-lower');
const date = column('date');
const columns = [exact, digits, nhs, uprn, alnum, lower, date];

function canonical(text: string | null, of: IdentifierColumn): string | null {
  const bytes = normaliseIdentifier(text, of);
  return bytes === null ? null : new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

/** Why a text is no use, as the tally says it. */
function fate(text: string | null, of: IdentifierColumn): string {
  const tally = newTally();
  normaliseIdentifier(text, of, tally);
  expect(tally.seen).toBe(1);
  const reasons = Object.entries(tally).filter(([reason, count]) => reason !== 'seen' && count === 1);
  expect(reasons.length).toBeLessThanOrEqual(1);
  return reasons[0]?.[0] ?? 'usable';
}

const nineDigits = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 9, maxLength: 9 });

/** The tenth digit by the five steps of the NHS Data Dictionary; 10 where there is no such number. */
function checkDigit(first: readonly number[]): number {
  const total = first.reduce((sum, digit, index) => sum + digit * (10 - index), 0);
  const result = 11 - (total % 11);
  return result === 11 ? 0 : result;
}

const nhsNumber = nineDigits
  .filter((first) => checkDigit(first) !== 10)
  .map((first) => [...first, checkDigit(first)].join(''));

/** The same digits in another of the scripts that NFKC knows, with separators and white space. */
const written = (number: string) =>
  fc
    .array(
      fc.tuple(fc.constantFrom(0x30, 0xff10, 0x1d7ce, 0x1d7d8, 0x1d7f6), fc.constantFrom('', ' ', '-', '\u00a0', '/')),
      { minLength: number.length, maxLength: number.length },
    )
    .map((style) => style.map(([zero, gap], i) => gap + String.fromCodePoint(zero + Number(number[i]))).join(''));

/** Texts of every plane, and texts of what identifiers are made of. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'0123456789abcXYZ -:T.e+ßǆＡ９İΣ\u030c\u0301\u200b\u00a0ﷺ') }),
  fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }).map((day) => day.toISOString().slice(0, 10)),
);

describe('an identifier in its normal form', () => {
  it('is its own normal form', () => {
    fc.assert(
      fc.property(anyText, fc.constantFrom(...columns), (text, of) => {
        const once = canonical(text, of);
        if (once !== null) expect(canonical(once, of)).toBe(once);
      }),
      { numRuns: 3_000 },
    );
  });

  it('is its own normal form for every character alone and under a mark', () => {
    for (let point = 1; point < 0x30000; point++) {
      if (point >= 0xd800 && point < 0xe000) continue;
      for (const text of [String.fromCodePoint(point), `${String.fromCodePoint(point)}\u030c`]) {
        const once = canonical(text, lower);
        if (once !== null && canonical(once, lower) !== once) expect.fail(`U+${point.toString(16)}`);
      }
    }
  });

  it('is the same in whatever digits and with whatever separators a number is written', () => {
    fc.assert(
      fc.property(
        nhsNumber.chain((number) => fc.tuple(fc.constant(number), written(number))),
        ([number, text]) => {
          expect(canonical(text, nhs)).toBe(number);
          expect(canonical(text, digits)).toBe(number);
        },
      ),
    );
  });

  it.each([
    ['943 476 5919', digits, '9434765919'],
    [' NHS no. 943-476-5919\t', digits, '9434765919'],
    ['９４３４７６５９１９', digits, '9434765919'],
    ['9434765919²', digits, '94347659192'],
    ['007', digits, '007'],
    ['qq 12 34 56 c', alnum, 'QQ123456C'],
    ['ＱＱ－１２３４５６－Ｃ', alnum, 'QQ123456C'],
    ['straße 1', alnum, 'STRASSE1'],
    ['\u00a0 Ａnn@Example.ORG\ufeff', lower, 'ann@example.org'],
    ['J\u030cO', lower, '\u01f0o'],
    ['E\u0301', lower, '\u00e9'],
    ['2026-12-31', date, '2026-12-31'],
    ['2026-12-31 00:00:00', date, '2026-12-31'],
    ['2026-12-31T00:00:00.000', date, '2026-12-31'],
    ['20261231', date, '2026-12-31'],
    [' ２０２６－１２－３１ ', date, '2026-12-31'],
    [' A b ', exact, ' A b '],
  ])('of %j by %j is %j', (text, of, expected) => {
    expect(canonical(text, of)).toBe(expected);
  });

  it.each([
    [null, digits, 'empty'],
    ['', exact, 'empty'],
    ['unknown', digits, 'empty'],
    [' \u00a0', lower, 'empty'],
    ['--', alnum, 'empty'],
    [' ', date, 'empty'],
    ['٩٤٣٤٧٦٥٩١٩', digits, 'malformed'],
    ['9.43477E+09', digits, 'malformed'],
    ['9434765919.0', digits, 'malformed'],
    ['Ж123', alnum, 'malformed'],
    ['José 1', alnum, 'malformed'],
    ['X\u030c1', alnum, 'malformed'],
    ['\ud800', exact, 'malformed'],
    ['\udc00a', lower, 'malformed'],
    ['31/12/2026', date, 'malformed'],
    ['31122026', date, 'malformed'],
    ['2026-02-30', date, 'malformed'],
    ['20260230', date, 'malformed'],
    ['2026-1-1', date, 'malformed'],
    ['2026-12-31 10:00:00', date, 'malformed'],
    ['2026-12-31T00:00:00Z', date, 'malformed'],
  ])('of %j by %j there is none: %s', (text, of, reason) => {
    expect(canonical(text, of)).toBeNull();
    expect(fate(text, of)).toBe(reason);
  });

  it('of ASCII text is what Unicode’s rules make of it', () => {
    const ascii = fc.string({
      unit: fc.oneof(
        fc.constantFrom(...'0123456789 eE+-.T:'),
        fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 }),
      ),
    });
    fc.assert(
      fc.property(fc.oneof(ascii, anyText), (text) => {
        const plain = text.normalize('NFKC').trim();
        const isRendered = /^[+-]?\d+(\.0|(\.\d+)?e[+-]\d+)$/i.test(plain);
        const isForeign = /(?![0-9])\p{N}/u.test(plain) || isRendered;
        const upper = plain.toUpperCase();
        const isForeignUpper = /(?![A-Z0-9])[\p{L}\p{M}\p{N}]/u.test(upper);
        const small = plain.toLowerCase().normalize('NFKC').trim();
        const orNull = (found: string) => (found === '' || !text.isWellFormed() ? null : found);
        expect(canonical(text, digits)).toBe(isForeign ? null : orNull(plain.replace(/[^0-9]/g, '')));
        expect(canonical(text, alnum)).toBe(isForeignUpper ? null : orNull(upper.replace(/[^A-Z0-9]/g, '')));
        expect(canonical(text, lower)).toBe(orNull(small));
      }),
      { numRuns: 2_000 },
    );
  });

  it('is as long as a thousand characters and no longer, before and after', () => {
    expect(canonical('7'.repeat(1_000), digits)).toHaveLength(1_000);
    expect(fate('7'.repeat(1_001), digits)).toBe('malformed');
    // One ligature of eighteen characters.
    expect(canonical('ﷺ'.repeat(55), lower)).toHaveLength(990);
    expect(fate('ﷺ'.repeat(56), lower)).toBe('malformed');
  });

  it('never has a day of a century around ours that was written in another order', () => {
    for (let year = 1900; year <= 2099; year++) {
      for (const start of ['0101', '1212', '1910', '2010', '3112'])
        expect(fate(`${start}${year}`, date)).toBe('malformed');
    }
  });
});

describe('an NHS number', () => {
  // In this order: Wikipedia, “NHS number”; the Python package nhs-number; the FHIR guide of NHS North West's genomic medicine
  // service; the R package nhsnumber; its Python twin nhssums; the Rust package heidi.
  it.each(['943 476 5919', '469 819 4180', '9449305552', '1234567881', '1234512343', '6541003238'])(
    'such as %s, which others publish as valid, is accepted',
    (number) => expect(canonical(number, nhs)).toBe(number.replaceAll(' ', '')),
  );

  // nhssums, and twice the tests of Stanford's My Heart Counts.
  it.each(['1234567882', '901 234 5678', '987 654 4321'])(
    'such as %s, which others publish as wrong, fails',
    (number) => expect(fate(number, nhs)).toBe('failedCheck'),
  );

  it('has ten digits', () => {
    for (const number of ['943476591', '94347659190', '0943 476 5919', '0'])
      expect(fate(number, nhs)).toBe('malformed');
    expect(fate('943 476 591', digits)).toBe('usable');
  });

  it('fails with any other tenth digit, and with all where the tenth would be 10', () => {
    fc.assert(
      fc.property(nineDigits, (first) => {
        const right = Array.from({ length: 10 }, (_, last) => last).filter(
          (last) => canonical([...first, last].join(''), nhs) !== null,
        );
        const expected = checkDigit(first);
        expect(right).toEqual(expected === 10 ? [] : [expected]);
      }),
    );
    for (let last = 0; last <= 9; last++) expect(fate(`999 123 456${last}`, nhs)).toBe('failedCheck');
  });

  it('fails when any digit changes, and when two neighbours that differ change places', () => {
    fc.assert(
      fc.property(nhsNumber, fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 9 }), (number, at, by) => {
        const changed = `${number.slice(0, at)}${(Number(number[at]) + by) % 10}${number.slice(at + 1)}`;
        expect(fate(changed, nhs)).toBe('failedCheck');
        if (at === 9 || number[at] === number[at + 1]) return;
        const swapped = `${number.slice(0, at)}${number[at + 1]}${number[at]}${number.slice(at + 2)}`;
        expect(fate(swapped, nhs)).toBe('failedCheck');
      }),
    );
  });
});

describe('a UPRN', () => {
  it('is a number from 1 to 999,999,999,999, with or without leading zeros', () => {
    // 10 Downing Street, and Bristol Central Library as it is written in twelve digits (Wikipedia, “Unique Property
    // Reference Number”).
    expect(canonical('100023336956', uprn)).toBe('100023336956');
    expect(canonical('000000199356', uprn)).toBe('199356');
    expect(canonical('199356', uprn)).toBe('199356');
    expect(canonical('1', uprn)).toBe('1');
    expect(canonical('999999999999', uprn)).toBe('999999999999');
    for (const text of ['0', '000000000000', '1000000000000']) expect(fate(text, uprn)).toBe('malformed');
    expect(fate('none', uprn)).toBe('empty');
  });

  it('is the same however many zeros stand before it', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999_999 }), fc.nat(12), (number, width) => {
        expect(canonical(String(number).padStart(width, '0'), uprn)).toBe(String(number));
      }),
    );
  });
});

describe('a tally of identifiers', () => {
  it('counts what was seen, and what is no use by reason', () => {
    const tally = newTally();
    const texts = ['943 476 5919', null, '', '943 476 5918', '943', '٣', '9434765919', 'n/a'];
    for (const text of texts) normaliseIdentifier(text, nhs, tally);
    expect(tally).toEqual({ seen: 8, empty: 3, malformed: 2, failedCheck: 1 });
  });

  it('is taken of any text whatever without an error', () => {
    const tally = newTally();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(...columns), (text, of) => {
        normaliseIdentifier(text, of, tally);
      }),
    );
    expect(Object.values(tally).every(Number.isSafeInteger)).toBe(true);
  });
});

describe('the key of an identifier', () => {
  it('is the first half of HMAC-SHA-256', () => {
    // RFC 4231, test case 1, whose key has 20 bytes; the RFC names the truncation to 128 bits too.
    expect(toHex(identifierKey(fromHex('0b'.repeat(20)), utf8('Hi There')))).toBe('b0344c61d8db38535ca8afceaf0bf12b');
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 80 }), fc.uint8Array(), (salt, id) => {
        const plain = createHmac('sha256', salt).update(id).digest().subarray(0, 16);
        expect(toHex(identifierKey(salt, id))).toBe(toHex(plain));
      }),
    );
  });

  it('is the same among many', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 80 }), fc.array(anyText), (salt, texts) => {
        const canonical = texts.flatMap((text) => canonicalIdentifier(text, exact) ?? []);
        const alone = canonical.map((text) => identifierKey(salt, utf8(text)));
        expect(identifierKeys(salt, canonical)).toEqual(concat(...alone));
      }),
    );
    const longest = ['\uffff'.repeat(1_000), '\u{1d7ce}'.repeat(500), 'a'];
    const salt = new Uint8Array(16);
    expect(identifierKeys(salt, longest)).toEqual(concat(...longest.map((text) => identifierKey(salt, utf8(text)))));
    expect(() => identifierKeys(new Uint8Array(15), [])).toThrow('a salt has 16 bytes or more');
  });

  it('differs between sessions, and needs a salt that cannot be guessed', () => {
    const id = normaliseIdentifier('943 476 5919', nhs)!;
    const salts = [1, 2].map((byte) => new Uint8Array(32).fill(byte));
    const keys = salts.map((salt) => toHex(identifierKey(salt, id)));
    expect(keys[0]).not.toBe(keys[1]);
    expect(keys[0]).toHaveLength(32);
    expect(() => identifierKey(new Uint8Array(15), id)).toThrow('a salt has 16 bytes or more');
  });
});

describe('a charter', () => {
  const numbers = 'nhs_number:  { type: identifier, normalise: digits';
  const parse =
    (to: string, from = `${numbers} }`) =>
    () =>
      parseCharter(charterWith([from, to]), 'charter.yaml');

  it('keeps the hash it had where no identifier has a check', () => {
    expect(charterHash(charter)).toBe('7c5d751f65a72466353e7503f163dcd24b7f29ba3bcb6e8a6c1371f8a6341a6c');
  });

  it.each(['nhs', 'uprn'])('may say `check: %s` of digits, which its hash and its sealed form hold', (check) => {
    const checked = parse(`${numbers}, check: ${check} }`)();
    expect(checked.datasets.patients!.columns.nhs_number).toEqual({ type: 'identifier', normalise: 'digits', check });
    expect(charterHash(checked)).not.toBe(charterHash(charter));
    expect(parseCharter(charterText(checked), 'charter.json')).toEqual(checked);
  });

  it.each([
    ['a check that is none', `${numbers}, check: luhn }`],
    ['a check of letters', 'nhs_number: { type: identifier, normalise: upper-alnum, check: nhs }'],
    ['a check without a rule', 'nhs_number: { type: identifier, check: uprn }'],
  ])('refuses %s', (_, to) => {
    expect(refusalOf(parse(to))).toMatchObject({
      code: 'BAD_VALUE',
      field: 'datasets.patients.columns.nhs_number.check',
    });
  });
});

describe('what is kept of an identifier', () => {
  it('is read as the identifier was, and counted alike', () => {
    const part = fc.constantFrom(
      '9434765919',
      '12',
      '0',
      ' ',
      '-',
      'x',
      'Ä',
      '٣',
      '１',
      '1e+9',
      '2026-12-31',
      '\ud800',
      '',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), fc.constantFrom(...columns), (parts, of) => {
        const text = parts.join('');
        const kept = keptIdentifier(text, of);
        expect(canonicalIdentifier(kept, of)).toBe(canonicalIdentifier(text, of));
        // Texts that are malformed in no script of their own have nothing to stand for them.
        if (!(of === exact || of === lower)) expect(fate(kept, of)).toBe(fate(text, of));
      }),
    );
  });

  it('has nothing of a text that is none', () => {
    for (const of of columns) {
      expect(keptIdentifier('', of)).toBeNull();
      expect(keptIdentifier('x'.repeat(1001), of) ?? '').not.toContain('x');
    }
    expect(keptIdentifier('Ada Lovelace', date)).toBe('٣');
  });
});
