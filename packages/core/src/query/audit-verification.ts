/**
 * Whether an audit log is what was entered and signed, and where it is not.
 *
 * The tree is computed again from the texts. It is compared with what is stored of it, with the heads that the party
 * signed, and with the heads that others hold of it, who signed each only after a proof that it grew from the one before.
 * So nobody, with the party's own keys even, can change, take out, add, put in another order or take back an entry that
 * another party has countersigned, without a finding here as soon as that party's export is at hand.
 *
 * What it says where: the entry, if its text does not fit its commitment, or its commitment not the stored tree; else the
 * two sizes between which the tree is another one. Entries after the last countersigned head are only the party's own
 * word: the *tail*.
 *
 * What it does not show: that what was entered was true, or that everything was entered. An export of one job proves
 * presence only: that the entries in it stand in the log. That there are no others of the job, the whole log alone shows.
 * @module
 */
import { equal, fromHex, toHex } from '../algebra/bytes.ts';
import { append, type NodeAt, rootOf, verifyConsistency, verifyInclusion } from '../algebra/merkle-tree.ts';
import {
  type AuditPayload,
  added,
  commitmentOf,
  fallen,
  type LedgerTotal,
  leafOf,
  type TreeState,
} from './audit-entry.ts';
import type { AuditEntry, AuditExport } from './audit-export.ts';
import { type Head, isCountersigned, isHeadSigned, isState, type SignedHead } from './audit-head.ts';
import { type Charter, charterHash } from './charter.ts';

export type FindingCode =
  /** The text of an entry, or the tree above it, is not what was entered. */
  | 'CHANGED'
  /** An entry is not there, though later ones are, or stands twice. */
  | 'MISSING'
  /** There were more entries than there are. */
  | 'ROLLED_BACK'
  /** The tree that was signed has other entries. */
  | 'FORKED'
  | 'BAD_SIGNATURE'
  /** What was spent is not what was charged. */
  | 'TOTALS'
  /** Texts were dropped that the charter keeps. */
  | 'DROPPED';

export interface Finding {
  readonly code: FindingCode;
  /** Whose log. */
  readonly party: string;
  readonly text: string;
  readonly entry?: number;
  /** From this entry on, up to the one before the second. */
  readonly between?: readonly [number, number];
}

export interface AuditReport {
  readonly party: string;
  readonly ok: boolean;
  readonly size: number;
  readonly root: string;
  /** The entries of one job alone were looked at. */
  readonly job?: string;
  /** The latest state that others signed, and who; null where nobody did. */
  readonly countersigned: (TreeState & { readonly at: string; readonly by: readonly string[] }) | null;
  /** Entries after it: the party's own word. */
  readonly tail: number;
  /** Entries whose texts were dropped. */
  readonly dropped: number;
  /** States that the party owned up to have lost. */
  readonly lost: readonly (TreeState & { readonly entry: number })[];
  readonly findings: readonly Finding[];
}

export interface Verification {
  readonly charter: Charter;
  /** The whole nodes that are stored, where the database itself is at hand. */
  readonly nodeAt?: (level: number, index: number) => string | undefined;
  /** The hashes of the signed approvals that stand beside it. */
  readonly approvals?: ReadonlySet<string>;
  /** What the ledger beside it has spent. */
  readonly totals?: readonly LedgerTotal[];
}

interface Walk {
  readonly log: AuditExport;
  readonly party: string;
  readonly findings: Finding[];
  readonly at: NodeAt;
  /** Entries that could be read one after the other, from the first. */
  readonly size: number;
}

/** Looks at a whole log, or at an export of one job. */
export function verifyAudit(log: AuditExport, by: Verification): AuditReport {
  return log.header.job === undefined ? verifyWhole(log, by) : verifyJob(log, by);
}

function verifyWhole(log: AuditExport, by: Verification): AuditReport {
  const { party } = log.header;
  const findings: Finding[] = [];
  const { at, size, nodes } = grow(log, findings, by.nodeAt);
  const walk: Walk = { log, party, findings, at, size };
  const root = toHex(rootOf(size, at));
  if (by.nodeAt !== undefined) compareNodes(nodes, by.nodeAt, walk);
  const heads = signedHeads(log, by.charter, findings);
  compareHeads(heads, walk, 'it signed itself');
  checkTotals(walk, heads, by.totals);
  if (by.approvals !== undefined) checkApprovals(walk, by.approvals);
  checkDropped(walk, heads, by.charter);
  checkHeader(walk, root);
  const countersigned = latestCountersigned(log, heads, by.charter, findings, ({ size: of }) => of <= size);
  return report(walk, { root, countersigned });
}

/** What the first line says of entries that nobody has signed yet. */
function checkHeader({ log: { header }, findings, party, size }: Walk, root: string): void {
  if (findings.length > 0 || (header.size === size && header.root === root)) return;
  const text = `its first line speaks of ${header.size} entries and another root`;
  findings.push({ code: 'CHANGED', party, text, between: [0, Math.max(size, header.size)] });
}

/** The tree from the texts; what does not fit its own commitment, its number or the stored leaf is found at its entry. */
function grow(log: AuditExport, findings: Finding[], stored: Verification['nodeAt']) {
  const { party } = log.header;
  const nodes = new Map<string, Uint8Array>();
  const at: NodeAt = (level, index) => nodes.get(`${level}/${index}`)!;
  let size = 0;
  for (const entry of log.entries) {
    if (entry.entry !== size) {
      const text = entry.entry < size ? `entry ${entry.entry} stands twice` : `entry ${size} is not there`;
      findings.push({ code: 'MISSING', party, text, entry: Math.min(size, entry.entry) });
      break;
    }
    const commitment = commitmentFor(entry);
    const leaf = leafOf(commitment);
    const isKept = entry.commitment === undefined || entry.commitment === commitment;
    const before = stored?.(0, size);
    if (!isKept || !isReadable(entry) || (before !== undefined && before !== toHex(leaf))) {
      findings.push({ code: 'CHANGED', party, text: `entry ${size} is not what was entered`, entry: size });
    }
    for (const { level, index, hash } of append(size, leaf, at)) nodes.set(`${level}/${index}`, hash);
    size++;
  }
  return { at, size, nodes };
}

function commitmentFor({ salt, text, commitment }: AuditEntry): string {
  if (salt === null || text === null) return commitment ?? '';
  return toHex(commitmentOf(fromHex(salt), text));
}

function payloadOf({ text }: AuditEntry): AuditPayload | undefined {
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as AuditPayload;
  } catch {
    return undefined;
  }
}

const isReadable = (entry: AuditEntry): boolean => entry.text === null || typeof payloadOf(entry)?.at === 'string';

/** The stored tree is more than its leaves: proofs are made of all of it. */
function compareNodes(
  nodes: ReadonlyMap<string, Uint8Array>,
  stored: NonNullable<Verification['nodeAt']>,
  { findings, party, size }: Walk,
): void {
  if (stored(0, size) !== undefined && !findings.some(({ code }) => code === 'MISSING')) {
    const text = `entry ${size} is not there, and the stored tree has it`;
    findings.push({ code: 'MISSING', party, text, entry: size });
  }
  for (const [key, hash] of nodes) {
    const [level = 0, index = 0] = key.split('/').map(Number);
    const from = index * 2 ** level;
    const to = Math.min(size, from + 2 ** level);
    const isFound = findings.some(({ entry }) => entry !== undefined && entry >= from && entry < to);
    if (stored(level, index) === toHex(hash) || isFound) continue;
    findings.push({ code: 'CHANGED', party, text: `the stored tree is another one`, between: [from, to] });
    return;
  }
}

/** Those that the party signed, in ascending order. One of an earlier charter, with another key, says nothing here. */
function signedHeads({ header: { party }, heads }: AuditExport, charter: Charter, findings: Finding[]): SignedHead[] {
  const now = charterHash(charter);
  const good = heads.filter(({ head }) => {
    if (head.head.party === party && isHeadSigned(head, charter)) return true;
    if (head.head.party !== party || head.head.charter === now) {
      const text = `its head of ${head.head.size} entries is not signed by it`;
      findings.push({ code: 'BAD_SIGNATURE', party, text, between: [0, head.head.size] });
    }
    return false;
  });
  return good.map(({ head }) => head).sort((a, b) => a.head.size - b.head.size);
}

/** Each head against the tree: only the first that does not fit says something new. */
function compareHeads(heads: readonly SignedHead[], { findings, party, at, size }: Walk, whose: string): void {
  let good = 0;
  for (const { head } of heads) {
    if (head.size > size) {
      const isFound = findings.some(({ code, party: of }) => of === party && code === 'MISSING');
      const text = `there were ${head.size} entries, in a head that ${whose} at ${head.at}; there are ${size}`;
      if (!isFound) findings.push({ code: 'ROLLED_BACK', party, text, between: [size, head.size] });
      return;
    }
    if (toHex(rootOf(head.size, at)) === head.root) {
      good = head.size;
      continue;
    }
    const isFound = findings.some(({ entry }) => entry !== undefined && entry < head.size);
    const text = `the first ${head.size} entries are not those of a head that ${whose} at ${head.at}`;
    if (!isFound) findings.push({ code: 'FORKED', party, text, between: [good, head.size] });
    return;
  }
}

/** Charges are added up again, and compared with what each head says, and with the ledger itself. */
function checkTotals(
  { log, findings, party, size }: Walk,
  heads: readonly SignedHead[],
  ledger?: readonly LedgerTotal[],
) {
  // What was changed or is not there cannot be added up.
  if (findings.length > 0) return;
  let totals: readonly LedgerTotal[] | undefined;
  let next = 0;
  const differs = (stated: readonly LedgerTotal[]) =>
    totals !== undefined && (fallen(totals, stated) ?? fallen(stated, totals)) !== undefined;
  for (const entry of log.entries.slice(0, size)) {
    const payload = payloadOf(entry);
    if (payload === undefined) totals = undefined;
    else if (payload.kind === 'begun' || payload.kind === 'retention' || payload.kind === 'restored')
      totals = payload.totals;
    else if (payload.kind === 'charge' && totals !== undefined) totals = added(totals, payload);
    for (; heads[next] !== undefined && heads[next]!.head.size <= entry.entry + 1; next++) {
      const { head } = heads[next]!;
      if (head.size !== entry.entry + 1 || !differs(head.totals)) continue;
      const text = `the head of ${head.size} entries does not say what they charged`;
      findings.push({ code: 'TOTALS', party, text, between: [0, head.size] });
      return;
    }
  }
  if (ledger === undefined || !differs(ledger)) return;
  findings.push({ code: 'TOTALS', party, text: 'the ledger has not spent what the log says was charged' });
}

/** Who approved what is read from the approvals, and not from the log: they are those that were entered, and no others. */
function checkApprovals({ log, findings, party, size }: Walk, stored: ReadonlySet<string>): void {
  const entered = new Set<string>();
  let isWhole = true;
  for (const entry of log.entries.slice(0, size)) {
    const payload = payloadOf(entry);
    if (payload === undefined) isWhole = false;
    if (payload?.kind !== 'approval') continue;
    if (payload.approval === undefined) isWhole = false;
    else entered.add(payload.approval);
    if (payload.approval === undefined || stored.has(payload.approval)) continue;
    const text = `the decision that entry ${entry.entry} tells of is not the one that stands beside the log`;
    findings.push({ code: 'CHANGED', party, text, entry: entry.entry });
  }
  if (!isWhole || [...stored].every((hash) => entered.has(hash))) return;
  findings.push({ code: 'CHANGED', party, text: 'a decision stands beside the log of which no entry tells' });
}

/** Texts are dropped from the oldest on, by an entry that says so, and not before their time. */
function checkDropped({ log, findings, party, size }: Walk, heads: readonly SignedHead[], charter: Charter): void {
  const dropped = log.entries.slice(0, size).filter(({ text }) => text === null);
  if (dropped.length === 0) return;
  const last = log.entries
    .map(payloadOf)
    .filter((payload) => payload?.kind === 'retention')
    .at(-1);
  const outside = dropped.find(({ entry }) => last === undefined || entry >= last.below);
  const days = charter.audit.retention_days;
  if (outside !== undefined || last === undefined) {
    const text = `the text of entry ${outside!.entry} was dropped, and no entry says why`;
    findings.push({ code: 'DROPPED', party, text, entry: outside!.entry });
    return;
  }
  const keptMs = last.days * 24 * 3600 * 1000;
  // An entry after a head is younger than it.
  const young = heads.find(({ head }) => head.size < last.below && Date.parse(head.at) + keptMs > Date.parse(last.at));
  if (days !== undefined && last.days >= days && young === undefined) return;
  const text =
    young === undefined
      ? `the charter keeps the texts of entries ${days === undefined ? 'for good' : `for ${days} days`}`
      : `texts were dropped that were not ${last.days} days old`;
  findings.push({ code: 'DROPPED', party, text, between: [young?.head.size ?? 0, last.below] });
}

/** A countersignature counts under a head that the party signed, and of those heads that `fits` lets pass. */
function latestCountersigned(
  { header: { party }, countersignatures }: AuditExport,
  heads: readonly SignedHead[],
  charter: Charter,
  findings: Finding[],
  fits: (head: Head) => boolean,
): AuditReport['countersigned'] {
  const signers = new Map<number, string[]>();
  for (const { size, by, signature } of countersignatures) {
    const head = heads.find((one) => one.head.size === size)?.head;
    // Without the head itself nothing is left to look at; that a head is missing shows in the next one's proof.
    if (head === undefined) continue;
    if (isCountersigned(head, by, signature, charter)) signers.set(size, [...(signers.get(size) ?? []), by]);
    else if (head.charter === charterHash(charter)) {
      const text = `the countersignature of ${by} under its head of ${size} entries does not fit`;
      findings.push({ code: 'BAD_SIGNATURE', party, text, between: [0, size] });
    }
  }
  const latest = heads.filter(({ head }) => signers.has(head.size) && fits(head)).at(-1)?.head;
  if (latest === undefined) return null;
  return { size: latest.size, root: latest.root, at: latest.at, by: [...new Set(signers.get(latest.size)!)].sort() };
}

function report(
  { log, party, findings, size }: Walk,
  { root, countersigned }: Pick<AuditReport, 'root' | 'countersigned'>,
): AuditReport {
  const lost = log.entries.flatMap((entry) => {
    const payload = payloadOf(entry);
    if (payload?.kind !== 'restored') return [];
    return payload.lost.map((state) => ({ size: state.size, root: state.root, entry: entry.entry }));
  });
  return {
    party,
    ok: findings.length === 0,
    size,
    root,
    countersigned,
    tail: size - (countersigned?.size ?? 0),
    dropped: log.entries.filter(({ text }) => text === null).length,
    lost,
    findings,
  };
}

/**
 * Each entry's proof leads to the root in the first line, and each head's proof from the head to that root. With the job
 * itself its entries begin; whether any after it were left out, nothing here shows.
 */
function verifyJob(log: AuditExport, { charter }: Verification): AuditReport {
  const { party, size, root, job } = log.header;
  const findings: Finding[] = [];
  const walk: Walk = { log, party, findings, at: () => new Uint8Array(), size };
  for (const entry of log.entries) {
    const { entry: number, proof = [] } = entry;
    const isJobs = entry.text === null || (payloadOf(entry) as { job?: string } | undefined)?.job === job;
    const isIn = verifyInclusion(leafOf(commitmentFor(entry)), number, size, proof.map(fromHex), fromHex(root));
    if (isIn && isJobs) continue;
    findings.push({ code: 'CHANGED', party, text: `entry ${number} is not what was entered`, entry: number });
  }
  if (!log.entries.some((entry) => payloadOf(entry)?.kind === 'job')) {
    findings.push({ code: 'MISSING', party, text: 'the entry with which the job begins is not there' });
  }
  const heads = signedHeads(log, charter, findings);
  const proofs = new Map(log.heads.map(({ head, proof }) => [head.signature, proof ?? []]));
  const leadsOn = ({ head, signature }: SignedHead) => {
    const proof = proofs.get(signature)!.map(fromHex);
    return verifyConsistency(head.size, size, fromHex(head.root), fromHex(root), proof);
  };
  const off = heads.find((head) => !leadsOn(head));
  if (off !== undefined) {
    const text = `the log does not begin with the ${off.head.size} entries of a head that it signed itself`;
    findings.push({ code: 'FORKED', party, text, between: [0, off.head.size] });
  }
  const covers = log.entries.at(-1)?.entry ?? 0;
  const countersigned = latestCountersigned(log, heads, charter, findings, () => true);
  const tail = log.entries.filter(({ entry }) => entry >= (countersigned?.size ?? 0)).length;
  return { ...report(walk, { root, countersigned }), job: job!, tail, size: Math.max(size, covers + 1) };
}

/** What another party's log shows of one. */
export interface Comparison {
  readonly findings: readonly Finding[];
  /** States that the party has owned up to have lost, and how many of their entries it still has as they were seen. */
  readonly lost: readonly (TreeState & { readonly kept: number })[];
}

/**
 * One party’s log against what another one holds of it: the heads that the other has countersigned. Up to a state that the
 * party has owned up to have lost, what differs is that loss, and is named as such; from there on it is a finding.
 */
export function compareWitness(log: AuditExport, other: AuditExport, charter: Charter): Comparison {
  const { party } = log.header;
  const findings: Finding[] = [];
  const { at, size } = grow(log, [], undefined);
  const walk: Walk = { log, party, findings, at, size };
  const { lost: owned } = report(walk, { root: '', countersigned: null });
  const isKept = ({ head }: SignedHead) => head.size <= size && toHex(rootOf(head.size, at)) === head.root;
  const lost: (TreeState & { kept: number })[] = [];
  let since: SignedHead[] = [];
  for (const { head } of other.witnessed) {
    if (head.head.party !== party || !isHeadSigned(head, charter)) continue;
    since.push(head);
    if (!owned.some((state) => isState(state, head.head))) continue;
    const kept = Math.max(0, ...since.filter(isKept).map((one) => one.head.size));
    lost.push({ size: head.head.size, root: head.head.root, kept });
    since = [];
  }
  since.sort((a, b) => a.head.size - b.head.size);
  compareHeads(since, walk, `${other.header.party} holds, signed by ${party},`);
  return { findings, lost };
}

/** Two logs of one party, or a copy of an earlier time: both begin with the same entries. */
export function compareCopies(log: AuditExport, other: AuditExport): Finding[] {
  const { party } = log.header;
  const [mine, theirs] = [grow(log, [], undefined), grow(other, [], undefined)];
  const size = Math.min(mine.size, theirs.size);
  if (equal(rootOf(size, mine.at), rootOf(size, theirs.at))) {
    if (mine.size >= theirs.size) return [];
    const text = `another copy of it has ${theirs.size} entries; there are ${mine.size}`;
    return [{ code: 'ROLLED_BACK', party, text, between: [mine.size, theirs.size] }];
  }
  let entry = 0;
  while (equal(mine.at(0, entry), theirs.at(0, entry))) entry++;
  return [{ code: 'FORKED', party, text: `entry ${entry} is another one in another copy of it`, entry }];
}
