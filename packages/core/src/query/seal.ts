/**
 * Sealing a charter: public keys go in, every party signs, and from then on nothing can change unseen.
 * @module
 */
import { fromHex, toHex } from '../algebra/bytes.ts';
import { CharterError, InputError } from '../channel/errors.ts';
import type { Charter } from './charter.ts';
import { charterHashBytes } from './charter-hash.ts';
import { isIdentityKey, isRecipientKey, isStaticKey, type Sign, verify } from './identity.ts';
import { lookUp } from './name.ts';

/** All party ids in ascending order: the roster, and the index of a party in frames. */
export function partiesOf(charter: Charter): string[] {
  return Object.keys(charter.parties).sort();
}

/** A party has `identity` and `static`, an analyst `identity` and `recipient`; all in hexadecimal digits. */
export interface PublicKeys {
  readonly identity: string;
  readonly static?: string | undefined;
  readonly recipient?: string | undefined;
}

/** The charter with a member's public keys. What was signed before is void, so the signatures go. */
export function withKeys(charter: Charter, member: string, keys: PublicKeys): Charter {
  const { signatures: _, ...rest } = charter;
  const party = lookUp(charter.parties, member);
  if (party !== undefined) {
    const { identity, static: staticKey } = keys;
    if (staticKey === undefined)
      throw new CharterError('BAD_KEY', { field: member, detail: 'these are not a party’s keys' });
    return { ...rest, parties: { ...rest.parties, [member]: { ...party, identity, static: staticKey } } };
  }
  const analyst = lookUp(charter.analysts, member);
  if (analyst === undefined) throw new InputError('UNKNOWN_PARTY', { field: member });
  const { identity, recipient } = keys;
  if (recipient === undefined)
    throw new CharterError('BAD_KEY', { field: member, detail: 'these are not an analyst’s keys' });
  return { ...rest, analysts: { ...rest.analysts, [member]: { ...analyst, identity, recipient } } };
}

/** The charter with one more party's signature, made with that party's identity key. */
export function signCharter(charter: Charter, party: string, sign: Sign): Charter {
  if (lookUp(charter.parties, party) === undefined) throw new InputError('UNKNOWN_PARTY', { field: party });
  const signature = toHex(sign('folkmoot charter v1', charterHashBytes(charter)));
  return { ...charter, signatures: { ...charter.signatures, [party]: signature } };
}

/**
 * Every key that stands in the charter is usable, and no two members share one.
 * @throws CharterError BAD_KEY, DUPLICATE_CHARTER_KEY
 */
export function checkKeys(charter: Charter): void {
  const seen = new Map<string, string>();
  const check = (key: string | undefined, field: string, usable: (bytes: Uint8Array) => boolean): void => {
    if (key === undefined) return;
    if (!usable(fromHex(key))) throw new CharterError('BAD_KEY', { field });
    const other = seen.get(key);
    if (other !== undefined) throw new CharterError('DUPLICATE_CHARTER_KEY', { field, detail: `it is also ${other}` });
    seen.set(key, field);
  };
  for (const id of partiesOf(charter)) {
    const party = charter.parties[id]!;
    check(party.identity, `parties.${id}.identity`, isIdentityKey);
    check(party.static, `parties.${id}.static`, isStaticKey);
  }
  for (const [id, analyst] of Object.entries(charter.analysts)) {
    check(analyst.identity, `analysts.${id}.identity`, isIdentityKey);
    check(analyst.recipient, `analysts.${id}.recipient`, isRecipientKey);
  }
}

/**
 * A sealed charter: every party has its keys, all keys are usable and distinct, and every party's signature fits.
 * An analyst without keys cannot submit, which harms nobody else.
 * @throws CharterError BAD_KEY, DUPLICATE_CHARTER_KEY, CHARTER_UNSIGNED, CHARTER_CHANGED
 */
export function checkSealed(charter: Charter): void {
  for (const id of partiesOf(charter)) {
    const party = charter.parties[id]!;
    if (party.identity === undefined || party.static === undefined) {
      throw new CharterError('CHARTER_UNSIGNED', { party: id, detail: 'this party’s public keys are not in it' });
    }
  }
  checkKeys(charter);
  const hash = charterHashBytes(charter);
  for (const id of partiesOf(charter)) {
    const signature = lookUp(charter.signatures ?? {}, id);
    if (signature === undefined) throw new CharterError('CHARTER_UNSIGNED', { party: id });
    if (!verify(fromHex(charter.parties[id]!.identity!), 'folkmoot charter v1', hash, fromHex(signature))) {
      throw new CharterError('CHARTER_CHANGED', { party: id, detail: 'this party’s signature does not fit' });
    }
  }
}
