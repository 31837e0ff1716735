/**
 * A charter's hash: SHA-256 of its canonical JSON (RFC 8785) without `signatures` and without what equals a default, so
 * that a default left out and written out are the same charter, and a default of a later version changes no hash.
 * @module
 */
import { toHex, utf8 } from '../algebra/bytes.ts';
import { canonicalJson, sha256 } from '../algebra/hash.ts';
import type { Charter } from './charter.ts';
import type { Dataset } from './dictionary.ts';

const empty = { matching: [], policy_floor: {}, audit: {} };

/** What is hashed and signed: the charter without signatures and without what equals a default. */
function essence(charter: Charter): unknown {
  const { signatures: _, ...rest } = charter;
  const datasets = Object.entries(charter.datasets).map(([name, dataset]) => [name, datasetEssence(dataset)]);
  return {
    ...without(
      { ...rest, policy_floor: without(charter.policy_floor, { min_parties: 1, min_group: 1, round: 1 }) },
      empty,
    ),
    datasets: Object.fromEntries(datasets),
  };
}

function datasetEssence({ name: _, ...dataset }: Dataset): unknown {
  const defaults = { max_rows_per_unit: 1, extra_rows: 'refuse', max_parties_per_unit: dataset.held_by.length };
  const columns = Object.entries(dataset.columns).map(([name, column]) => [
    name,
    without(column, { nulls: 'refuse', outside: 'clamp' }),
  ]);
  return { ...without(dataset, defaults), columns: Object.fromEntries(columns) };
}

function without(value: object, defaults: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept = Object.entries(value).filter(
    ([key, item]) =>
      item !== undefined && !(Object.hasOwn(defaults, key) && canonicalJson(item) === canonicalJson(defaults[key])),
  );
  return Object.fromEntries(kept);
}

/** A charter is a value that nobody changes, and it is asked for its hash at every login, job and acceptance. */
const hashes = new WeakMap<Charter, Uint8Array>();

/** SHA-256 of what is signed. */
export function charterHashBytes(charter: Charter): Uint8Array {
  const known = hashes.get(charter);
  if (known !== undefined) return known.slice();
  const hash = sha256(utf8(canonicalJson(essence(charter))));
  hashes.set(charter, hash);
  return hash.slice();
}

/** The same, as 64 hexadecimal digits: what jobs, sessions and acceptances are bound to. */
export function charterHash(charter: Charter): string {
  return toHex(charterHashBytes(charter));
}

/** For people to compare by telephone: 160 bits of the hash in ten groups of four digits. */
export function fingerprint(charter: Charter): string {
  return charterHash(charter).slice(0, 40).match(/.{4}/g)!.join(' ');
}

/** The sealed form: canonical JSON of the same shape, with keys and signatures. `parseCharter` reads it back. */
export function charterText(charter: Charter): string {
  const signed = charter.signatures === undefined ? {} : { signatures: charter.signatures };
  return `${canonicalJson({ ...(essence(charter) as object), ...signed })}\n`;
}
