/**
 * Identifiers in the one form in which two agencies compare them, and the key that stands for one within a session.
 *
 * Each rule first takes Unicode's compatibility form (NFKC, UAX #15), in which full-width, superscript, circled and
 * mathematical digits are the ASCII ones; without a rule the text is compared as it is, character by character. Then
 *
 *   digits       keeps 0–9. A digit of another script is malformed: to drop it would make two persons one. So is a number
 *                as spreadsheets render it (`9.43477E+09`, `9434765919.0`), whose digits are no longer the identifier's.
 *   upper-alnum  keeps A–Z and 0–9 of the upper-case text. Any other letter, mark or digit is malformed, for the same reason.
 *   nfkc-lower   is in small letters, without white space around it.
 *   date         is yyyy-mm-dd. Read are `2026-12-31`, the same with midnight behind it (` 00:00:00` or `T00:00:00`, and zeros
 *                behind a point), and `20261231`, which no day of 1900 to 2099 in another order looks like, since
 *                there is no month 19 or 20. `31/12/2026` is malformed: no one can tell 01/02/2026 from 02/01/2026.
 *
 * `check: nhs` asks for 10 digits, the last of them by modulus 11 with the weights 10 to 2 (NHS Data Dictionary, “NHS
 * NUMBER”: 11 − remainder, where 11 means 0 and 10 is no NHS number). It tells a misread digit, not that the number was
 * ever issued: ten equal digits pass. `check: uprn` asks for a number from 1 to 999,999,999,999 and takes leading zeros away,
 * since the gazetteers write it both in 12 digits and without them. A UPRN is allocated in blocks and has no check digit
 * (GeoPlace, BS 7666), so a misread one cannot be told: range is all there is to check.
 *
 * Takes     a text; the other side's rule must be the same
 * Security  the key is a pseudonym for one session, no more: identifiers are few enough to try all of them against a known
 *           salt, so that keys are secrets of the party, which neither stores nor sends them. A tally is about the records and
 *           for their owner alone. Nothing here throws for a value or repeats one.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import { utf8 } from '../algebra/bytes.ts';
import { hmacSha256, hmacSha256Under } from '../algebra/hash.ts';
import { dateSchema, type IdentifierColumn } from './dictionary.ts';

/** How many identifiers of a column were read, and how many of them are no use, by reason. */
export interface IdentifierTally {
  seen: number;
  /** Null, or nothing is left of it. */
  empty: number;
  /** Not in the form of the rule, or not of the length or in the range that the check asks for. */
  malformed: number;
  /** The check digit is not that of the other digits. */
  failedCheck: number;
}

type Flaw = Exclude<keyof IdentifierTally, 'seen'>;

/** Longer than any identifier; no record makes a party work on more. */
const identifierCharsMax = 1_000;
/** A salt that the other side could guess would not make the keys of two sessions different. */
const saltBytesMin = 16;
const keyBytes = 16;
const uprnDigitsMax = 12;
/** Of a character, which is half a pair where there would be more. */
const utf8BytesMax = 3;

const renderedNumber = /^[+-]?\d+(\.0|(\.\d+)?e[+-]\d+)$/i;
const otherDigit = /(?![0-9])\p{N}/u;
const otherLetter = /(?![A-Z0-9])[\p{L}\p{M}\p{N}]/u;
const midnight = /[ T]00:00:00(\.0+)?$/;
const compactDay = /^(\d{4})(\d{2})(\d{2})$/;

export function newTally(): IdentifierTally {
  return { seen: 0, empty: 0, malformed: 0, failedCheck: 0 };
}

/** The canonical identifier in UTF-8, or null where there is none that could be matched. The tally, if any, counts it. */
export function normaliseIdentifier(
  text: string | null,
  column: IdentifierColumn,
  tally?: IdentifierTally,
): Uint8Array<ArrayBuffer> | null {
  const canonical = canonicalIdentifier(text, column, tally);
  return canonical === null ? null : utf8(canonical);
}

/** The same as a text, whose canonical identifier it is itself. */
export function canonicalIdentifier(
  text: string | null,
  column: IdentifierColumn,
  tally?: IdentifierTally,
): string | null {
  const canonical = text === null ? '' : canonicalText(text, column);
  const flaw = canonical === null ? 'malformed' : flawOf(canonical, column);
  if (tally !== undefined) {
    tally.seen++;
    if (flaw !== null) tally[flaw]++;
  }
  return flaw === null ? canonical : null;
}

/** 16 bytes: the first 128 bits of HMAC-SHA-256 (RFC 2104) with the session's salt as its key. */
export function identifierKey(salt: Uint8Array, canonical: Uint8Array): Uint8Array {
  assert(salt.length >= saltBytesMin, 'a salt has 16 bytes or more');
  return hmacSha256(salt, canonical).slice(0, keyBytes);
}

/** The keys of canonical texts, one after the other: for many, a fifth of the time. */
export function identifierKeys(salt: Uint8Array, canonical: readonly string[]): Uint8Array<ArrayBuffer> {
  assert(salt.length >= saltBytesMin, 'a salt has 16 bytes or more');
  const keys = new Uint8Array(canonical.length * keyBytes);
  const mac = hmacSha256Under(salt);
  const encoder = new TextEncoder();
  const room = new Uint8Array(identifierCharsMax * utf8BytesMax);
  for (const [i, text] of canonical.entries()) {
    const { written } = encoder.encodeInto(text, room);
    keys.set(mac(room.subarray(0, written)).subarray(0, keyBytes), i * keyBytes);
  }
  return keys;
}

/** Malformed by every rule that knows such texts: a digit of another script, as a date and as anything else. */
const malformedText = '\u0663';

/**
 * What is kept of an identifier for a later reading: its canonical form, which may yet fail the check, or in the place of
 * what is malformed a text of our own that is so too. It counts in a tally like the identifier; nothing else that stood in
 * the field is kept.
 */
export function keptIdentifier(text: string, column: IdentifierColumn): string | null {
  const canonical = canonicalText(text, column);
  if (canonical !== null) return canonical === '' || canonical.length > identifierCharsMax ? null : canonical;
  return canonicalText(malformedText, column) === null ? malformedText : null;
}

/** Null for what is malformed whatever the check. */
function canonicalText(text: string, column: IdentifierColumn): string | null {
  // Half a surrogate pair has no UTF-8: all such texts would become one.
  if (text.length > identifierCharsMax || !text.isWellFormed()) return null;
  if (column.normalise === undefined) return text;
  // Most identifiers are. Their compatibility form is themselves, and no character of theirs is of another script.
  const isPlain = isAscii(text);
  const plain = (isPlain ? text : text.normalize('NFKC')).trim();
  switch (column.normalise) {
    case 'digits': {
      if ((!isPlain && otherDigit.test(plain)) || renderedNumber.test(plain)) return null;
      const digits = plain.replace(/[^0-9]/g, '');
      // Without its zeros a number of zeros alone would be empty; it is one that is out of range.
      return column.check === 'uprn' ? digits.replace(/^0+(?=\d)/, '') : digits;
    }
    case 'upper-alnum': {
      const upper = plain.toUpperCase();
      return !isPlain && otherLetter.test(upper) ? null : upper.replace(/[^A-Z0-9]/g, '');
    }
    case 'nfkc-lower':
      // A small letter may compose with its mark where the capital could not (ǰ), hence the second time.
      return isPlain ? plain.toLowerCase() : plain.toLowerCase().normalize('NFKC').trim();
    case 'date': {
      const day = plain.replace(midnight, '').replace(compactDay, '$1-$2-$3');
      return day === '' || dateSchema.safeParse(day).success ? day : null;
    }
  }
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

function flawOf(canonical: string, column: IdentifierColumn): Flaw | null {
  if (canonical === '') return 'empty';
  // A compatibility form may be many times as long; what is canonical must be so when it is read again.
  if (canonical.length > identifierCharsMax) return 'malformed';
  switch (column.check) {
    case undefined:
      return null;
    case 'nhs':
      if (canonical.length !== 10) return 'malformed';
      return hasNhsCheckDigit(canonical) ? null : 'failedCheck';
    case 'uprn':
      return canonical.length <= uprnDigitsMax && canonical !== '0' ? null : 'malformed';
  }
}

/** With weight 1 for the check digit itself the sum of a right number is a multiple of 11; a tenth digit of 10 cannot be. */
function hasNhsCheckDigit(digits: string): boolean {
  let sum = 0;
  for (let place = 0; place < 10; place++) sum += (10 - place) * Number(digits[place]);
  return sum % 11 === 0;
}
