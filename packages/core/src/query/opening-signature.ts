/**
 * Whether a party's signature under an opening is good, by the identity key that the charter gives it.
 * @module
 */
import { fromHex } from '../algebra/bytes.ts';
import type { Verify } from '../protocols/open.ts';
import type { Charter } from './charter.ts';
import { verify } from './identity.ts';
import { lookUp } from './name.ts';

/** What a party signs its word under: the statement of `openingStatement`. */
export const openingLabel = 'folkmoot opening v1';

export function openingVerifier(charter: Charter): Verify {
  return (party, statement, signature) => {
    const identity = lookUp(charter.parties, party)?.identity;
    return identity !== undefined && verify(fromHex(identity), openingLabel, statement, signature);
  };
}
