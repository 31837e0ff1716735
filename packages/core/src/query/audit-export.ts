/**
 * An audit log as a file for an auditor: JSON lines, each of one of these forms, in this order.
 *
 *   { folkmoot_audit: 1, party, charter, exported, size, root, job? }    the first line
 *   { entry, salt, payload, proof? } | { entry, commitment, proof? }     each entry; the second where its text was dropped
 *   { head, proof? }                                                     what the party signed of its own log
 *   { countersignature: { size, by, signature } }                        what others signed of it
 *   { witnessed: { head, countersignature } }                            what the party signed of others' logs
 *
 * A file about one job has the entries of that job alone, each with its inclusion proof, and heads with the proof that
 * leads from them to the root in the first line.
 * @module
 */
import { z } from 'zod';
import { canonicalJson } from '../algebra/hash.ts';
import { treeSizeMax } from '../algebra/merkle-tree.ts';
import { InputError } from '../channel/errors.ts';
import { type SignedHead, signedHeadSchema } from './audit-head.ts';
import { conform } from './document.ts';
import { memberSchema } from './name.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits');
const signature = z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits');
const proof = z.array(hash).max(64).optional();
const number = z
  .int()
  .min(0)
  .max(treeSizeMax - 1);

const headerSchema = z.strictObject({
  folkmoot_audit: z.literal(1, { error: 'expected 1, the version of the format' }),
  party: memberSchema,
  charter: hash,
  exported: z.iso.datetime(),
  size: z.int().min(0).max(treeSizeMax),
  root: hash,
  /** Only the entries of this job. */
  job: z.string().max(128).optional(),
});
const kept = z.strictObject({ entry: number, salt: hash, payload: z.record(z.string(), z.unknown()), proof });
const dropped = z.strictObject({ entry: number, commitment: hash, proof });
const own = z.strictObject({ head: signedHeadSchema, proof });
const countersignature = z.strictObject({ size: z.int().min(1).max(treeSizeMax), by: memberSchema, signature });
const witnessed = z.strictObject({ head: signedHeadSchema, countersignature: signature });

export type AuditHeader = Readonly<z.infer<typeof headerSchema>>;
export type Countersignature = Readonly<z.infer<typeof countersignature>>;

/** An entry with its text; both null once they were dropped. A commitment that is stored beside them is checked too. */
export interface AuditEntry {
  readonly entry: number;
  readonly salt: string | null;
  readonly text: string | null;
  readonly commitment?: string;
  readonly proof?: readonly string[];
}

export interface AuditExport {
  readonly header: AuditHeader;
  readonly entries: readonly AuditEntry[];
  readonly heads: readonly { readonly head: SignedHead; readonly proof?: readonly string[] }[];
  readonly countersignatures: readonly Countersignature[];
  readonly witnessed: readonly { readonly head: SignedHead; readonly countersignature: string }[];
}

/** The lines of the file. */
export function exportText({ header, entries, heads, countersignatures, witnessed: seen }: AuditExport): string {
  const entryLine = ({ entry, salt, text, commitment, proof: path }: AuditEntry) => {
    const rest = path === undefined ? {} : { proof: path };
    if (salt === null || text === null) return { entry, commitment, ...rest };
    return { entry, salt, payload: JSON.parse(text) as object, ...rest };
  };
  const lines = [
    header,
    ...entries.map(entryLine),
    ...heads,
    ...countersignatures.map((one) => ({ countersignature: one })),
    ...seen.map((one) => ({ witnessed: one })),
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

/** The file read back. @throws InputError BAD_SYNTAX, BAD_VALUE, UNKNOWN_KEY with the line */
export function parseExport(text: string, name: string): AuditExport {
  const lines = text.split('\n').map((line, index) => ({ line, number: index + 1 }));
  const [first, ...rest] = lines.filter(({ line }) => line.trim() !== '');
  if (first === undefined) throw new InputError('BAD_SYNTAX', { field: name, detail: 'it is empty' });
  const header = read(first, headerSchema, name);
  const entries: AuditEntry[] = [];
  const heads: { head: SignedHead; proof?: string[] }[] = [];
  const countersignatures: Countersignature[] = [];
  const seen: { head: SignedHead; countersignature: string }[] = [];
  for (const line of rest) {
    const value = parsed(line, name);
    if ('payload' in value) {
      const { payload, ...entry } = read(line, kept, name);
      entries.push(withProof({ entry: entry.entry, salt: entry.salt, text: canonicalJson(payload) }, entry.proof));
    } else if ('entry' in value) {
      const { proof: path, ...entry } = read(line, dropped, name);
      entries.push(withProof({ ...entry, salt: null, text: null }, path));
    } else if ('head' in value) {
      const { head, proof: path } = read(line, own, name);
      heads.push(withProof({ head }, path));
    } else if ('countersignature' in value) {
      countersignatures.push(read(line, z.strictObject({ countersignature }), name).countersignature);
    } else {
      seen.push(read(line, z.strictObject({ witnessed }), name).witnessed);
    }
  }
  return { header, entries, heads, countersignatures, witnessed: seen };
}

interface Line {
  readonly line: string;
  readonly number: number;
}

function withProof<T extends object>(value: T, path: string[] | undefined): T & { proof?: string[] } {
  return path === undefined ? value : { ...value, proof: path };
}

function parsed({ line, number: at }: Line, name: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new InputError('BAD_SYNTAX', { field: name, line: at, column: 1 });
  }
  if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  throw new InputError('BAD_SYNTAX', { field: name, line: at, column: 1 });
}

function read<T>(line: Line, schema: z.ZodType<T>, name: string): T {
  return conform(parsed(line, name), schema, { name, locate: () => ({ line: line.number, column: 1 }) });
}
