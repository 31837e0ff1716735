import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../src/algebra/bytes.ts';
import {
  charterHash,
  charterText,
  checkSealed,
  fingerprint,
  matchedColumns,
  parseCharter,
  partiesOf,
  signCharter,
  withKeys,
} from '../src/query/charter.ts';
import { isIdentityKey, isRecipientKey, isStaticKey, signer, verify } from '../src/query/identity.ts';
import { charter, charterWith, identityOf, keyed, recipientOf, sealed, seedOf, staticOf } from './consortium.ts';
import { refusalOf } from './refusal.ts';

const parse =
  (...changes: readonly (readonly [string, string])[]) =>
  () =>
    parseCharter(charterWith(...changes), 'charter.yaml');

describe('a charter', () => {
  it('is read with its defaults', () => {
    const { residents, patients } = charter.datasets;
    expect(residents).toMatchObject({
      name: 'residents',
      unit: 'person',
      extra_rows: 'refuse',
      max_parties_per_unit: 1,
    });
    expect(patients!.max_parties_per_unit).toBe(1);
    expect(residents!.columns.age).toEqual({ type: 'integer', min: 0, max: 110, nulls: 'refuse', outside: 'clamp' });
    expect(partiesOf(charter)).toEqual(['camden', 'hackney', 'islington', 'ncl-health']);
    expect(charter.policy_floor).toEqual({ min_parties: 2, min_group: 5 });
  });

  it('tells on what a party may be matched', () => {
    const { residents, patients } = charter.datasets;
    expect(matchedColumns(charter, 'camden', residents!)).toEqual(['nhs_number']);
    expect(matchedColumns(charter, 'ncl-health', patients!)).toEqual(['nhs_number']);
    const without = {
      ...charter,
      matching: charter.matching.map((each) => ({ ...each, pairs: [['camden', 'hackney'] as [string, string]] })),
    };
    expect(matchedColumns(without, 'ncl-health', patients!)).toEqual([]);
    const other = { ...charter, matching: charter.matching.map((each) => ({ ...each, on: 'annual_cost' })) };
    expect(matchedColumns(other, 'ncl-health', patients!)).toEqual([]);
  });

  it('has the same hash whether a default is left out or written', () => {
    const same = parse(
      ['tenure:     { type: category,', 'tenure:     { nulls: refuse, type: category,'],
      ['unit: person ', 'extra_rows: refuse\n    unit: person '],
    );
    expect(charterHash(same())).toBe(charterHash(charter));
    expect(charterHash(parse(['max: 110', 'max: 111'])())).not.toBe(charterHash(charter));
  });

  it('reads its sealed form back with the same hash and signatures', () => {
    const whole = sealed();
    const again = parseCharter(charterText(whole), 'charter.json');
    expect(again).toEqual(whole);
    expect(charterText(again)).toBe(charterText(whole));
    expect(() => checkSealed(again)).not.toThrow();
  });

  it('has a fingerprint that people can read out', () => {
    expect(fingerprint(charter)).toMatch(/^([0-9a-f]{4} ){9}[0-9a-f]{4}$/);
  });

  it.each([
    ['an unknown key', 'version: 1', 'version: 1\ncolour: red', 'UNKNOWN_KEY', 'colour'],
    [
      'an unknown key of a column',
      'type: boolean',
      'type: boolean, size: 3',
      'UNKNOWN_KEY',
      'datasets.residents.columns.employed.size',
    ],
    ['a key that stands twice', 'version: 1', 'version: 1\nversion: 2', 'DUPLICATE_KEY', 'version'],
    ['a type that is none', 'type: boolean', 'type: flag', 'BAD_VALUE', 'datasets.residents.columns.employed.type'],
    [
      'a holder that is no party',
      'held_by: [ncl-health]',
      'held_by: [nhs]',
      'UNKNOWN_PARTY',
      'datasets.patients.held_by[0]',
    ],
    [
      'a holder named twice',
      'held_by: [ncl-health]',
      'held_by: [ncl-health, ncl-health]',
      'DUPLICATE_PARTY',
      'datasets.patients.held_by',
    ],
    ['a unit that is no column', 'unit: person', 'unit: somebody', 'UNKNOWN_COLUMN', 'datasets.residents.unit'],
    ['a unit that is no identifier', 'unit: person', 'unit: age', 'WRONG_TYPE', 'datasets.residents.unit'],
    [
      'bounds in the wrong order',
      'min: 0, max: 110',
      'min: 111, max: 110',
      'BAD_VALUE',
      'datasets.residents.columns.age.max',
    ],
    [
      'a bound finer than its column',
      'max: 20000,',
      'max: 20000.001,',
      'BAD_VALUE',
      'datasets.residents.columns.arrears',
    ],
    ['a day that does not exist', '2026-12-31', '2026-02-30', 'BAD_VALUE', 'datasets.residents.columns.moved_in.max'],
    [
      'a category value that stands twice',
      'values: [owner,',
      'values: [owner, owner,',
      'BAD_VALUE',
      'datasets.residents.columns.tenure.values',
    ],
    ['a column named as an operator', 'employed:   {', 'not:   {', 'BAD_VALUE', 'datasets.residents.columns.not'],
    [
      'a column named as every object’s own',
      'employed:   {',
      'constructor:   {',
      'BAD_VALUE',
      'datasets.residents.columns.constructor',
    ],
    [
      'more parties a person than hold it',
      'max_parties_per_unit: 1',
      'max_parties_per_unit: 4',
      'BAD_VALUE',
      'datasets.residents.max_parties_per_unit',
    ],
    ['matching on no identifier', 'on: nhs_number', 'on: age', 'WRONG_TYPE', 'matching[0].on'],
    [
      'a party matched with itself',
      '[[camden, ncl-health]',
      '[[camden, camden]',
      'DUPLICATE_PARTY',
      'matching[0].pairs[0]',
    ],
    [
      'an analyst of no party',
      'roles: [analyst] }',
      'roles: [analyst], party: nobody }',
      'UNKNOWN_PARTY',
      'analysts.housing-analytics.party',
    ],
  ])('refuses %s', (_, from, to, code, field) => {
    expect(refusalOf(parse([from, to]))).toMatchObject({ code, field });
  });

  it('says where an unknown key stands', () => {
    expect(refusalOf(parse(['charter: North', 'chartre: North']))).toMatchObject({
      code: 'UNKNOWN_KEY',
      line: 4,
      column: 1,
    });
  });
});

describe('a sealed charter', () => {
  it('is accepted with every key and every signature', () => {
    expect(() => checkSealed(sealed())).not.toThrow();
  });

  it('is refused before all have signed, naming who has not', () => {
    expect(refusalOf(() => checkSealed(charter))).toMatchObject({ code: 'CHARTER_UNSIGNED', party: 'camden' });
    const half = signCharter(keyed(), 'camden', signer(seedOf('camden')));
    expect(refusalOf(() => checkSealed(half))).toMatchObject({ code: 'CHARTER_UNSIGNED', party: 'hackney' });
  });

  it('is refused when anything was changed after sealing', () => {
    const text = charterText(sealed());
    for (const [from, to] of [
      ['"max":110', '"max":120'],
      ['"min_group":5', '"min_group":4'],
      ['Chief Data Officer', 'Chief Data officer'],
      [`"${recipientOf('housing-analytics').slice(0, 40)}`, `"01${recipientOf('housing-analytics').slice(2, 40)}`],
    ] as const) {
      expect(text).toContain(from);
      const changed = parseCharter(text.replace(from, to), 'charter.json');
      expect(refusalOf(() => checkSealed(changed)).code).toBe('CHARTER_CHANGED');
    }
  });

  it('names the party whose signature does not fit', () => {
    const whole = sealed();
    const forged = signCharter(whole, 'hackney', signer(seedOf('camden')));
    expect(refusalOf(() => checkSealed(forged))).toMatchObject({ code: 'CHARTER_CHANGED', party: 'hackney' });
  });

  it('loses its signatures when a key changes', () => {
    const changed = withKeys(sealed(), 'camden', { identity: identityOf('new'), static: staticOf('new') });
    expect(changed.signatures).toBeUndefined();
  });

  it('refuses keys of the wrong kind and members that it does not know', () => {
    const identity = identityOf('x');
    expect(refusalOf(() => withKeys(charter, 'camden', { identity })).code).toBe('BAD_KEY');
    expect(refusalOf(() => withKeys(charter, 'housing-analytics', { identity })).code).toBe('BAD_KEY');
    expect(refusalOf(() => withKeys(charter, 'nobody', { identity })).code).toBe('UNKNOWN_PARTY');
    expect(refusalOf(() => signCharter(charter, 'housing-analytics', signer(seedOf('x')))).code).toBe('UNKNOWN_PARTY');
  });

  it('refuses two members with one key', () => {
    const twin = withKeys(keyed(), 'hackney', { identity: identityOf('camden'), static: staticOf('hackney') });
    expect(refusalOf(() => checkSealed(twin))).toMatchObject({
      code: 'DUPLICATE_CHARTER_KEY',
      field: 'parties.hackney.identity',
    });
    const link = withKeys(keyed(), 'hackney', { identity: identityOf('hackney'), static: staticOf('camden') });
    expect(refusalOf(() => parseCharter(charterText(link), 'c'))).toMatchObject({ code: 'DUPLICATE_CHARTER_KEY' });
    const analyst = withKeys(keyed(), 'housing-analytics', {
      identity: identityOf('camden'),
      recipient: recipientOf('a'),
    });
    expect(refusalOf(() => checkSealed(analyst)).code).toBe('DUPLICATE_CHARTER_KEY');
  });

  /** The points of order 1, 2, 4 and 8, and spellings of them that are not canonical. */
  const smallEd25519 = [
    '0100000000000000000000000000000000000000000000000000000000000000',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0000000000000000000000000000000000000000000000000000000000000080',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
    '0100000000000000000000000000000000000000000000000000000000000080',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];

  it.each(smallEd25519)('refuses the identity key %s', (key) => {
    expect(isIdentityKey(fromHex(key))).toBe(false);
    const bad = withKeys(keyed(), 'hackney', { identity: key, static: staticOf('hackney') });
    expect(refusalOf(() => checkSealed(bad))).toMatchObject({ code: 'BAD_KEY', field: 'parties.hackney.identity' });
  });

  it('refuses an identity key that has a small-order part', () => {
    const mixed = ed25519.Point.fromHex(identityOf('camden')).add(ed25519.Point.fromHex(smallEd25519[4]!));
    expect(isIdentityKey(mixed.toBytes())).toBe(false);
    expect(isIdentityKey(fromHex(identityOf('camden')))).toBe(true);
  });

  /** RFC 7748's small-order points on Curve25519 and its twist, and two that are not canonical. */
  const smallX25519 = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];

  it.each(smallX25519)('refuses the static key %s', (key) => {
    expect(isStaticKey(fromHex(key))).toBe(false);
    const bad = withKeys(keyed(), 'hackney', { identity: identityOf('hackney'), static: key });
    expect(refusalOf(() => checkSealed(bad))).toMatchObject({ code: 'BAD_KEY', field: 'parties.hackney.static' });
  });

  it('refuses a static key with another spelling of its own', () => {
    const key = fromHex(staticOf('camden'));
    expect(isStaticKey(key)).toBe(true);
    key[31]! |= 0x80;
    expect(isStaticKey(key)).toBe(false);
  });

  it('refuses an analyst’s key that ML-KEM would refuse, or whose X25519 part is of small order', () => {
    const good = fromHex(recipientOf('a'));
    expect(isRecipientKey(good)).toBe(true);
    const unreduced = good.slice();
    unreduced.set([0xff, 0x0f], 0);
    expect(isRecipientKey(unreduced)).toBe(false);
    const small = good.slice();
    small.fill(0, 1184);
    expect(isRecipientKey(small)).toBe(false);
    expect(isRecipientKey(good.subarray(1))).toBe(false);
    const bad = withKeys(keyed(), 'housing-analytics', { identity: identityOf('a'), recipient: toHex(small) });
    expect(refusalOf(() => checkSealed(bad))).toMatchObject({
      code: 'BAD_KEY',
      field: 'analysts.housing-analytics.recipient',
    });
  });
});

describe('a signature', () => {
  it('fits its own label, message and key only', () => {
    const sign = signer(seedOf('camden'));
    const key = fromHex(identityOf('camden'));
    const message = Uint8Array.of(1, 2, 3);
    const signature = sign('folkmoot job v1', message);
    expect(verify(key, 'folkmoot job v1', message, signature)).toBe(true);
    expect(verify(key, 'folkmoot charter v1', message, signature)).toBe(false);
    expect(verify(key, 'folkmoot job v1', Uint8Array.of(1, 2), signature)).toBe(false);
    expect(verify(fromHex(identityOf('hackney')), 'folkmoot job v1', message, signature)).toBe(false);
    expect(verify(key, 'folkmoot job v1', message, signature.subarray(1))).toBe(false);
    expect(verify(new Uint8Array(32), 'folkmoot job v1', message, signature)).toBe(false);
  });
});
