/**
 * The charter: the consortium's constitution. Who takes part, who may ask, for what, about which data, and the floor
 * under every party's policy. One YAML file before it is signed; canonical JSON with keys and signatures afterwards.
 * @module
 */
import { z } from 'zod';
import { InputError } from '../channel/errors.ts';
import { completeDataset, type Dataset, datasetSchema } from './dictionary.ts';
import { parseDocument } from './document.ts';
import { lookUp, memberSchema, nameSchema } from './name.ts';
import { checkKeys } from './seal.ts';
import { type DominanceRule, dominanceSchema, roundSchema } from './strictness.ts';

export { charterHash, charterHashBytes, charterText, fingerprint } from './charter-hash.ts';
export { checkKeys, checkSealed, type PublicKeys, partiesOf, signCharter, withKeys } from './seal.ts';

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`), `expected ${bytes} bytes in small hexadecimal digits`);
const people = z.string().min(1).max(300);

const partySchema = z.strictObject({
  name: people,
  /** The accountable person's office. */
  owner: people,
  /** Ed25519: signs acceptances, openings, the charter. */
  identity: hex(32).optional(),
  /** X25519: the party's end of every Noise session. */
  static: hex(32).optional(),
});

const analystSchema = z.strictObject({
  roles: z.array(nameSchema).min(1),
  name: people.optional(),
  /** The party this analyst belongs to; its rows do not count toward `min_group`. */
  party: memberSchema.optional(),
  /** Ed25519: signs jobs. */
  identity: hex(32).optional(),
  /** X-Wing: answers are sealed to it. */
  recipient: z
    .string()
    .regex(/^[0-9a-f]{2432}$/, 'expected 1216 bytes in small hexadecimal digits')
    .optional(),
});

const matchingSchema = z.strictObject({
  on: nameSchema,
  pairs: z.array(z.tuple([memberSchema, memberSchema])).min(1),
  permitted_by: people,
  reference: people.optional(),
});

/** A hundred years: what is to be kept longer is kept for good. */
const retentionDaysMax = 36_525;

const charterSchema = z.strictObject({
  folkmoot: z.literal(1, { error: 'expected 1, the version of the format' }),
  charter: people,
  version: z.int().min(1),
  /** The hash of the version before; from version 2 on. */
  previous: hex(32).optional(),
  parties: z
    .record(memberSchema, partySchema)
    .refine((parties) => Object.keys(parties).length >= 2, 'expected at least two parties'),
  analysts: z.record(memberSchema, analystSchema),
  purposes: z.record(nameSchema, people),
  datasets: z.record(nameSchema, datasetSchema),
  matching: z.array(matchingSchema).default([]),
  policy_floor: z
    .strictObject({
      min_parties: z.int().min(1).default(1),
      min_group: z.int().min(1).default(1),
      round: roundSchema.optional(),
      dominance: dominanceSchema.optional(),
    })
    .default({ min_parties: 1, min_group: 1 }),
  audit: z.strictObject({ retention_days: z.int().min(1).max(retentionDaysMax).optional() }).default({}),
  signatures: z.record(memberSchema, hex(64)).optional(),
});

export type Party = Readonly<z.infer<typeof partySchema>>;
export type Analyst = Readonly<z.infer<typeof analystSchema>>;

export interface Charter {
  readonly folkmoot: 1;
  /** The consortium's name. */
  readonly charter: string;
  readonly version: number;
  readonly previous?: string | undefined;
  readonly parties: Readonly<Record<string, Party>>;
  readonly analysts: Readonly<Record<string, Analyst>>;
  readonly purposes: Readonly<Record<string, string>>;
  readonly datasets: Readonly<Record<string, Dataset>>;
  readonly matching: readonly Readonly<z.infer<typeof matchingSchema>>[];
  readonly policy_floor: {
    readonly min_parties: number;
    readonly min_group: number;
    /** What figures are rounded to, at least. */
    readonly round?: number | undefined;
    readonly dominance?: DominanceRule | undefined;
  };
  readonly audit: {
    /** After so many days a party's audit log drops the texts of its entries, and keeps their hashes; never, without. */
    readonly retention_days?: number | undefined;
  };
  /** Each party's signature over the hash, in hexadecimal digits; absent before sealing. */
  readonly signatures?: Readonly<Record<string, string>> | undefined;
}

/**
 * A charter, before or after sealing, from its text. Signatures are checked by `checkSealed`, not here.
 * @throws InputError for its form and for names in it that refer to nothing
 * @throws CharterError BAD_KEY, DUPLICATE_CHARTER_KEY
 */
export function parseCharter(text: string, name: string): Charter {
  const given = parseDocument(text, charterSchema, { name });
  const datasets: Record<string, Dataset> = {};
  for (const [key, dataset] of Object.entries(given.datasets)) datasets[key] = completeDataset(key, dataset);
  const charter: Charter = { ...given, datasets };
  checkReferences(charter);
  checkKeys(charter);
  return charter;
}

/** The identifiers of a dataset that a party may be matched on with some other, as the charter permits it. */
export function matchedColumns({ matching }: Charter, party: string, { columns }: Dataset): string[] {
  const permitted = matching.filter(({ pairs }) => pairs.some((pair) => pair.includes(party))).map(({ on }) => on);
  return [...new Set(permitted)].filter((on) => lookUp(columns, on)?.type === 'identifier');
}

function checkReferences(charter: Charter): void {
  const party = (id: string, field: string): void => {
    if (lookUp(charter.parties, id) === undefined) throw new InputError('UNKNOWN_PARTY', { field, detail: id });
  };
  for (const [id, analyst] of Object.entries(charter.analysts)) {
    if (analyst.party !== undefined) party(analyst.party, `analysts.${id}.party`);
    // One id for a party and an analyst would make logins and texts ambiguous.
    if (lookUp(charter.parties, id) !== undefined) {
      throw new InputError('BAD_VALUE', { field: `analysts.${id}`, detail: 'a party has this id' });
    }
  }
  for (const [name, dataset] of Object.entries(charter.datasets)) {
    for (const [index, id] of dataset.held_by.entries()) party(id, `datasets.${name}.held_by[${index}]`);
  }
  charter.matching.forEach((permission, index) => {
    permission.pairs.forEach((pair, at) => {
      for (const id of pair) party(id, `matching[${index}].pairs[${at}]`);
      if (pair[0] === pair[1]) throw new InputError('DUPLICATE_PARTY', { field: `matching[${index}].pairs[${at}]` });
      for (const id of pair) checkMatchable(charter, permission.on, id, `matching[${index}].on`);
    });
  });
  for (const id of Object.keys(charter.signatures ?? {})) party(id, `signatures.${id}`);
}

/** A party can match on a column only where one of its datasets has it, as an identifier. */
function checkMatchable(charter: Charter, on: string, party: string, field: string): void {
  const columns = Object.values(charter.datasets)
    .filter((dataset) => dataset.held_by.includes(party))
    .map((dataset) => lookUp(dataset.columns, on))
    .filter((column) => column !== undefined);
  if (columns.length === 0) throw new InputError('UNKNOWN_COLUMN', { field, detail: `no dataset of ${party} has it` });
  if (columns.some((column) => column.type !== 'identifier')) {
    throw new InputError('WRONG_TYPE', { field, detail: 'only an identifier can be matched on' });
  }
}
