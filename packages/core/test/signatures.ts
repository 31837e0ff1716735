/**
 * Ideal signatures: a MAC under a key that only this file knows, fast enough for thousands of runs.
 * @module
 */
import { concat, equal, utf8 } from '../src/algebra/bytes.ts';
import { hmacSha256 } from '../src/algebra/hash.ts';
import type { PartyId } from '../src/channel/channel.ts';
import type { Signatures, Verify } from '../src/protocols/open.ts';

export const idealVerify: Verify = (party, statement, signature) => equal(idealSign(party, statement), signature);

export function idealSignatures(party: PartyId): Signatures {
  return { sign: (statement) => idealSign(party, statement), verify: idealVerify };
}

function idealSign(party: PartyId, statement: Uint8Array): Uint8Array {
  const mac = hmacSha256(utf8(`identity of ${party}`), statement);
  return concat(mac, mac);
}
