/**
 * How far a charter is from being sealed: who lacks keys, whose signature is missing, and whose does not fit.
 * @module
 */
import { fromHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHashBytes, fingerprint, partiesOf } from '@folkmoot/core/charter.js';
import { verify } from '@folkmoot/core/identity.js';
import { indent, renderTable } from './table.ts';

export interface CharterStanding {
  readonly isSealed: boolean;
  readonly signed: readonly string[];
  readonly missing: readonly string[];
  readonly bad: readonly string[];
  readonly partiesWithoutKeys: readonly string[];
  /** Analysts that cannot submit yet; the charter can be sealed without them. */
  readonly analystsWithoutKeys: readonly string[];
}

export function charterStanding(charter: Charter): CharterStanding {
  const parties = partiesOf(charter);
  const hash = charterHashBytes(charter);
  const standing = (id: string): 'signed' | 'missing' | 'bad' => {
    const signature = charter.signatures?.[id];
    const key = charter.parties[id]!.identity;
    if (signature === undefined) return 'missing';
    const fits = key !== undefined && verify(fromHex(key), 'folkmoot charter v1', hash, fromHex(signature));
    return fits ? 'signed' : 'bad';
  };
  const where = (is: ReturnType<typeof standing>) => parties.filter((id) => standing(id) === is);
  const partiesWithoutKeys = parties.filter((id) => charter.parties[id]!.static === undefined);
  const signed = where('signed');
  return {
    isSealed: signed.length === parties.length && partiesWithoutKeys.length === 0,
    signed,
    missing: where('missing'),
    bad: where('bad'),
    partiesWithoutKeys,
    analystsWithoutKeys: Object.keys(charter.analysts).filter((id) => charter.analysts[id]!.recipient === undefined),
  };
}

/** Fingerprint, members and what is still missing. */
export function standingText(charter: Charter, standing: CharterStanding): string {
  const state = (id: string) => {
    if (standing.partiesWithoutKeys.includes(id)) return 'no keys yet';
    if (standing.bad.includes(id)) return 'signature does not fit';
    return standing.signed.includes(id) ? 'signed' : 'signature missing';
  };
  const parties = partiesOf(charter).map((id) => [id, 'party', charter.parties[id]!.name, state(id)]);
  const analysts = Object.entries(charter.analysts).map(([id, analyst]) => [
    id,
    'analyst',
    analyst.name ?? analyst.roles.join(', '),
    standing.analystsWithoutKeys.includes(id) ? 'no keys yet' : 'keys listed',
  ]);
  const columns = ['member', 'as', 'name', 'state'].map((title) => ({ title, align: 'left' as const }));
  return [
    `${charter.charter}, version ${charter.version}`,
    `Fingerprint  ${fingerprint(charter)}   (compare it by telephone)`,
    '',
    indent(renderTable(columns, [...parties, ...analysts])),
  ].join('\n');
}
