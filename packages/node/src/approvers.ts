/**
 * Who decides on jobs at a party: the people that node.yaml lists, each with a key of their own, or else whoever holds the
 * party's own identity key.
 * @module
 */
import { isSignedBy, ownerName, type SignedApproval } from '@folkmoot/core/approval.js';
import { fromHex } from '@folkmoot/core/bytes.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { CharterError, InputError, PolicyError } from '@folkmoot/core/errors.js';
import { isIdentityKey } from '@folkmoot/core/identity.js';
import { lookUp, memberSchema } from '@folkmoot/core/name.js';
import type { Policy } from '@folkmoot/core/policy.js';
import { z } from 'zod';

/** The `approvers:` of node.yaml. */
export const approversSchema = z.record(
  memberSchema,
  z.strictObject({
    name: z.string().min(1).max(300),
    /** The public identity key of the person, as `folkmoot keygen --approver` writes it. */
    identity: z.string().regex(/^[0-9a-f]{64}$/, 'expected 32 bytes in small hexadecimal digits'),
  }),
);

export type Approvers = Readonly<z.infer<typeof approversSchema>>;
export type Approver = Approvers[string];

/** Whose word counts, at which party of which charter. */
export interface Approving {
  readonly config: { readonly party: string; readonly approvers: Approvers };
  readonly charter: Charter;
}

/**
 * Each has a usable key of their own, and there are as many as any rule asks for.
 * @throws CharterError BAD_KEY; InputError BAD_VALUE
 */
export function checkApprovers(approvers: Approvers, { rules }: Policy): void {
  const seen = new Map<string, string>();
  for (const [by, { identity }] of Object.entries(approvers)) {
    const field = `approvers.${by}.identity`;
    if (!isIdentityKey(fromHex(identity))) throw new CharterError('BAD_KEY', { field });
    const other = seen.get(identity);
    if (other !== undefined) {
      const remedy = 'let each approver make keys of their own';
      throw new InputError('BAD_VALUE', { field, detail: `it is also the key of ${other}`, remedy });
    }
    seen.set(identity, by);
  }
  const listed = Math.max(1, seen.size);
  rules.forEach(({ approvers: asked = 1 }, index) => {
    if (asked <= listed) return;
    throw new InputError('BAD_VALUE', {
      field: `policy.rules[${index}].approvers`,
      detail: `${asked} people are asked for, and \`approvers\` lists ${seen.size}`,
      remedy: 'list as many approvers, or ask for fewer',
    });
  });
}

/** The person of this name. @throws PolicyError NOT_AN_APPROVER */
export function approverOf(by: string, { config, charter }: Approving): Approver {
  const { party, approvers } = config;
  const isListed = Object.keys(approvers).length > 0;
  const own = lookUp(charter.parties, party);
  const found =
    !isListed && by === ownerName
      ? { name: own?.owner ?? party, identity: own?.identity ?? '' }
      : lookUp(approvers, by);
  if (found !== undefined) return found;
  const remedy = isListed
    ? `name one of ${Object.keys(approvers).join(', ')}`
    : 'leave --as out: the party itself decides';
  throw new PolicyError('NOT_AN_APPROVER', { party, field: 'by', detail: by, remedy });
}

/** Whoever has this key. @throws PolicyError NOT_AN_APPROVER */
export function approverWith(identity: string, of: Approving): string {
  const { party, approvers } = of.config;
  const names = Object.keys(approvers).length === 0 ? [ownerName] : Object.keys(approvers);
  const by = names.find((name) => approverOf(name, of).identity === identity);
  if (by === undefined) throw new PolicyError('NOT_AN_APPROVER', { party, field: 'keys', detail: 'none has this key' });
  return by;
}

/**
 * Nobody decides on a job that they asked for, whether they come with their key or under their name.
 * @throws PolicyError OWN_JOB
 */
export function checkNotAsker(by: string, analyst: string, { config, charter }: Approving): void {
  const asker = lookUp(charter.analysts, analyst);
  const listed = lookUp(config.approvers, by);
  const isNamed = listed !== undefined && (by === analyst || sameName(listed.name, asker?.name ?? analyst));
  const hasKey = approverOf(by, { config, charter }).identity === asker?.identity;
  if (isNamed || hasKey) throw new PolicyError('OWN_JOB', { party: config.party, detail: `${by} is ${analyst}` });
}

function sameName(a: string, b: string): boolean {
  const plain = (name: string) => name.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim();
  return plain(a) === plain(b);
}

/** Approvals count while their people are listed with the keys that signed; what ended a job once goes on counting. */
export function counting(decisions: readonly SignedApproval[], of: Approving): SignedApproval[] {
  return decisions.filter((signed) => {
    const { by, decision } = signed.approval;
    if (decision !== 'approve') return true;
    try {
      return isSignedBy(signed, approverOf(by, of).identity);
    } catch {
      return false;
    }
  });
}
