/**
 * Heads of audit logs, shown and countersigned at each job (audit-head.ts in core), and what a party finds out by it.
 *
 *   accepted ─▶ this party's head, with a proof from every state that a peer may have signed last
 *   start    ◀─ the heads of all: each is looked at against the last one of that party that was signed here
 *   countersigned ─▶ this party's signature under each, durable before it leaves
 *   held     ─▶ where a head does not follow: the last one, which that party itself has signed
 *
 * A party that is handed a head of its own which its log does not have runs on an old copy of its state. It takes part in no
 * job from there on, until its owner confirms what was lost: then its ledger is raised to what that head says was spent,
 * since others may have been told the answers, and its heads say which states were lost.
 * @module
 */
import { atMost, inOrder, raised } from '@folkmoot/core/audit-entry.js';
import {
  checkOffer,
  countersign,
  follows,
  type Head,
  type HeadOffer,
  isCountersigned,
  isHeadSigned,
  isState,
  restoredMax,
  type SignedHead,
  signedHeadSchema,
  signHead,
} from '@folkmoot/core/audit-head.js';
import type { Charter } from '@folkmoot/core/charter.js';
import { conform } from '@folkmoot/core/document.js';
import { InputError, ProtocolError, StateError } from '@folkmoot/core/errors.js';
import type { Sign } from '@folkmoot/core/identity.js';
import type Database from 'better-sqlite3';
import type { AuditLog } from './audit-log.ts';
import type { Ledger } from './ledger.ts';

/** The tables; see database.ts. */
export const exchangeTables = `
  CREATE TABLE audit_heads (size INTEGER PRIMARY KEY, head TEXT NOT NULL) STRICT;
  CREATE TABLE audit_issued (peer TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (peer, size)) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_countersignatures (
    size INTEGER NOT NULL REFERENCES audit_heads, by TEXT NOT NULL, signature TEXT NOT NULL, PRIMARY KEY (size, by)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE audit_witnessed (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, party TEXT NOT NULL, head TEXT NOT NULL, countersignature TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_witnessed_by_party ON audit_witnessed (party, entry);
  CREATE TABLE audit_lost (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, head TEXT NOT NULL UNIQUE, held_by TEXT NOT NULL, noticed_ms INTEGER NOT NULL,
    confirmed_ms INTEGER
  ) STRICT;
  ${['heads', 'countersignatures', 'witnessed']
    .map(
      (name) => `
  CREATE TRIGGER audit_${name}_are_not_changed BEFORE UPDATE ON audit_${name}
    BEGIN SELECT RAISE(ABORT, 'what was signed stays'); END;
  CREATE TRIGGER audit_${name}_are_not_cut BEFORE DELETE ON audit_${name}
    BEGIN SELECT RAISE(ABORT, 'what was signed stays'); END;`,
    )
    .join('')}
  CREATE TRIGGER audit_lost_is_not_cut BEFORE DELETE ON audit_lost
    BEGIN SELECT RAISE(ABORT, 'what was lost stays so'); END;`;

/** What the second version of `audit_witnessed` knows: when each head was signed here. */
export const witnessedWhen = 'ALTER TABLE audit_witnessed ADD COLUMN witnessed_ms INTEGER';

/**
 * Heads that a peer may have signed last and has not said so. Each acceptance of a job adds one, each word of the peer takes
 * them away. More jobs than these may wait at once: then their heads need no proof (`follows` in audit-head.ts).
 */
const issuedMax = 16;
/** Proofs besides those that peers are known to need: two jobs under way at each of 16 peers. */
const otherProofsMax = 32;
/**
 * The heads of all parties of a job travel in one control frame of a mebibyte. Half of it is theirs, in equal parts; the
 * other half is left to the acceptances and renunciations.
 */
const headsBytesMax = 512 * 1024;

/** Who a node is among the others. */
export interface Self {
  readonly party: string;
  readonly charter: Charter;
  readonly charterHash: string;
  readonly sign: Sign;
}

/** This party's signature under a peer's head. */
export interface Countersigned {
  readonly of: string;
  readonly size: number;
  readonly signature: string;
}

/** A state of this party's own log that it has not: it was lost with what a backup did not have. */
export interface Lost {
  readonly head: Head;
  /** The peer that holds it. */
  readonly heldBy: string;
  readonly noticedMs: number;
  readonly confirmedMs: number | null;
}

/** The exchange within a node's database. What writes belongs into the caller's transaction. */
export class AuditExchange {
  readonly #db: Database.Database;
  readonly #log: AuditLog;
  readonly #ledger: Ledger;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(db: Database.Database, log: AuditLog, ledger: Ledger) {
    this.#db = db;
    this.#log = log;
    this.#ledger = ledger;
  }

  // What this party shows of its own log.

  /**
   * The head of the log as it is now, for these peers, with as many proofs as there is room for. First come those from what
   * a peer is known to hold, and then the newest.
   * @throws ProtocolError AUDIT_UNPROVEN where the head alone leaves no room for those of so many others
   */
  offer(peers: readonly string[], self: Self, nowMs: number): HeadOffer {
    const size = this.#log.size();
    const head = this.head(size) ?? this.#sign(size, self, nowMs);
    const sizes = peers.map((peer) => this.#issued(peer).filter((from) => from < size));
    const known = new Set(sizes.flatMap(([least]) => least ?? []));
    const others = new Set(sizes.flat().filter((from) => !known.has(from)));
    const room = Math.max(0, otherProofsMax - known.size);
    const from = [...newestFirst(known), ...newestFirst(others).slice(0, room)];
    const proofs = this.#proofs(from, size, Math.floor(headsBytesMax / (peers.length + 1)) - bytesOf(head));
    if (proofs === undefined) {
      const detail = `its head has ${bytesOf(head)} bytes, which is too much in a job of ${peers.length + 1} parties`;
      throw new ProtocolError('AUDIT_UNPROVEN', { party: self.party, detail });
    }
    for (const peer of peers) this.#issue(peer, size);
    return { head, proofs };
  }

  /** As many as so many bytes hold, in the order given; undefined where there is not even room for none. */
  #proofs(from: readonly number[], size: number, bytes: number): HeadOffer['proofs'] | undefined {
    let left = bytes;
    if (left < 0) return undefined;
    const proofs: HeadOffer['proofs'] = [];
    for (const one of from) {
      const proof = { from: one, hashes: this.#log.consistency(one, size) };
      left -= bytesOf(proof);
      if (left < 0) break;
      proofs.push(proof);
    }
    return proofs;
  }

  /** A peer's signature under a head of this party. One that does not fit is of no use, and false. */
  take(by: string, size: number, signature: string, charter: Charter): boolean {
    const signed = this.head(size);
    if (signed === undefined || !isCountersigned(signed.head, by, signature, charter)) return false;
    this.#prepare(
      'INSERT INTO audit_countersignatures (size, by, signature) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    ).run(size, by, signature);
    this.#hold(by, size);
    return true;
  }

  head(size: number): SignedHead | undefined {
    const row = this.#prepare('SELECT head FROM audit_heads WHERE size = ?').pluck().get(size) as string | undefined;
    return row === undefined ? undefined : (JSON.parse(row) as SignedHead);
  }

  heads(): SignedHead[] {
    const rows = this.#prepare('SELECT head FROM audit_heads ORDER BY size').pluck().all() as string[];
    return rows.map((row) => JSON.parse(row) as SignedHead);
  }

  countersignatures(): { size: number; by: string; signature: string }[] {
    return this.#prepare('SELECT size, by, signature FROM audit_countersignatures ORDER BY size, by').all() as {
      size: number;
      by: string;
      signature: string;
    }[];
  }

  #sign(size: number, { party, charter: _, charterHash, sign }: Self, nowMs: number): SignedHead {
    const lost = this.lost().filter(({ confirmedMs }) => confirmedMs !== null);
    const states = lost.slice(-restoredMax).map(({ head }) => ({ size: head.size, root: head.root }));
    const head: Head = {
      party,
      charter: charterHash,
      size,
      root: this.#log.root(size),
      totals: this.#ledger.stated(),
      at: new Date(nowMs).toISOString(),
      ...(states.length === 0 ? {} : { restored: states }),
    };
    const signed = signHead(head, sign);
    this.#prepare('INSERT INTO audit_heads (size, head) VALUES (?, ?)').run(size, JSON.stringify(signed));
    return signed;
  }

  /** In ascending order. */
  #issued(peer: string): number[] {
    return this.#prepare('SELECT size FROM audit_issued WHERE peer = ? ORDER BY size').pluck().all(peer) as number[];
  }

  /** A peer holds this one or a later one: no proof from an earlier one will be asked for. */
  #hold(peer: string, size: number): void {
    this.#prepare('DELETE FROM audit_issued WHERE peer = ? AND size < ?').run(peer, size);
    this.#issue(peer, size);
  }

  /** The least stays whatever comes: it is what the peer is known to have signed, or was given first. */
  #issue(peer: string, size: number): void {
    this.#prepare('INSERT INTO audit_issued (peer, size) VALUES (?, ?) ON CONFLICT DO NOTHING').run(peer, size);
    this.#prepare(
      `DELETE FROM audit_issued WHERE peer = @peer
         AND size <> (SELECT min(size) FROM audit_issued WHERE peer = @peer)
         AND size NOT IN (SELECT size FROM audit_issued WHERE peer = @peer ORDER BY size DESC LIMIT @max)`,
    ).run({ peer, max: issuedMax });
  }

  // What others show of theirs.

  /** The last head of a party that was signed here. */
  last(party: string): SignedHead | undefined {
    return this.#last(party)?.signed;
  }

  /** With the instant at which it was signed here; that of the head itself where it was signed before instants were kept. */
  #last(party: string): { readonly signed: SignedHead; readonly ms: number } | undefined {
    const row = this.#prepare(
      'SELECT head, witnessed_ms AS ms FROM audit_witnessed WHERE party = ? ORDER BY entry DESC LIMIT 1',
    ).get(party) as { head: string; ms: number | null } | undefined;
    if (row === undefined) return undefined;
    const signed = JSON.parse(row.head) as SignedHead;
    return { signed, ms: row.ms ?? Date.parse(signed.head.at) };
  }

  /** What was signed here of others' logs, the oldest first. */
  witnessed(): { head: SignedHead; countersignature: string }[] {
    const rows = this.#prepare('SELECT head, countersignature FROM audit_witnessed ORDER BY entry').all() as {
      head: string;
      countersignature: string;
    }[];
    return rows.map(({ head, countersignature }) => ({ head: JSON.parse(head) as SignedHead, countersignature }));
  }

  /**
   * Looks at the heads of all peers and signs those that follow: what is to be told to whom. All of them, or none.
   * @throws ProtocolError AUDIT_UNPROVEN, AUDIT_ROLLED_BACK, AUDIT_FORKED, naming the party
   */
  witness(
    given: ReadonlyMap<string, unknown>,
    { party, charter, charterHash, sign }: Self,
    jobIssuedMs: number,
    nowMs: number,
  ): Countersigned[] {
    const looked = [...given].map(([peer, one]) => {
      const offer = checkOffer(one, peer, charter, charterHash);
      const before = this.#last(peer);
      const last = before?.signed.head;
      return { offer, last, how: follows(offer, last, jobIssuedMs, before?.ms ?? nowMs) };
    });
    return looked.flatMap(({ offer: { head: signed }, last, how }): Countersigned[] => {
      if (how === 'stale') return [];
      const { head } = signed;
      const { party: of, size, root } = head;
      const signature = countersign(head, party, sign);
      if (how !== 'same') {
        const lost = how === 'restored' ? { size: last!.size, root: last!.root } : undefined;
        if (lost !== undefined) this.#log.enter({ kind: 'peer-restored', party: of, lost, size, root }, nowMs);
        else this.#log.enter({ kind: 'countersigned', party: of, size, root }, nowMs);
        this.#prepare(
          'INSERT INTO audit_witnessed (party, head, countersignature, witnessed_ms) VALUES (?, ?, ?, ?)',
        ).run(of, JSON.stringify(signed), signature, nowMs);
        return [{ of, size, signature }];
      }
      // It was signed as it was then: another instant under the same tree makes another statement.
      const before = this.last(of)!.head;
      return [{ of, size, signature: countersign(before, party, sign) }];
    });
  }

  // What this party learns of itself.

  lost(): Lost[] {
    const rows = this.#prepare(
      'SELECT head, held_by AS heldBy, noticed_ms AS noticedMs, confirmed_ms AS confirmedMs FROM audit_lost ORDER BY entry',
    ).all() as (Omit<Lost, 'head'> & { head: string })[];
    return rows.map((row) => ({ ...row, head: (JSON.parse(row.head) as SignedHead).head }));
  }

  /**
   * That this state may speak of a job that was asked for at this instant; of any, unless it is given.
   * @throws StateError STATE_RESTORED while the owner has not confirmed that the state is an old copy; and of each job asked
   * for before that was noticed: what was lost may have opened it, or have renounced what this state would open
   */
  checkWhole(party: string, jobIssuedMs?: number): void {
    const all = this.lost();
    const lost = all.find(({ confirmedMs }) => confirmedMs === null);
    if (lost !== undefined) {
      const { head, heldBy } = lost;
      const detail = `${heldBy} holds a head of ${head.size} entries that this party signed at ${head.at}`;
      throw new StateError('STATE_RESTORED', { party, detail });
    }
    if (jobIssuedMs === undefined) return;
    // An earlier state of one that was confirmed before tells of no other loss.
    const isForgotten = all.some(
      ({ head, noticedMs }, index) => jobIssuedMs < noticedMs && !isCoveredBy(all.slice(0, index), head),
    );
    if (!isForgotten) return;
    const detail = 'what became of the job may have been lost';
    throw new StateError('STATE_RESTORED', { party, detail, remedy: 'the analyst asks anew' });
  }

  /**
   * A peer brings a head of this party's own, the last that it holds. True where this party's log has not got it.
   * @throws InputError for its form, and where it is not this party's
   */
  confront(given: unknown, by: string, { party, charter }: Self, nowMs: number): boolean {
    const signed = conform(given, signedHeadSchema, { name: 'head' });
    const { head } = signed;
    if (head.party !== party || !isHeadSigned(signed, charter)) {
      throw new InputError('BAD_VALUE', { field: 'head', detail: `it is not a head that ${party} signed` });
    }
    const size = this.#log.size();
    if (head.size <= size && this.#log.root(head.size) === head.root) {
      // The peer itself was set back, or this party's proofs did not reach so far: the next one does.
      this.#hold(by, head.size);
      return false;
    }
    const lost = this.lost();
    if (lost.some((one) => isState(one.head, head))) return false;
    if (lost.length >= restoredMax) throw new InputError('BAD_VALUE', { field: 'head', detail: 'too many were lost' });
    this.#prepare('INSERT INTO audit_lost (head, held_by, noticed_ms) VALUES (?, ?, ?)').run(
      JSON.stringify(signed),
      by,
      nowMs,
    );
    // An earlier state of what the owner has confirmed to be lost: nothing was spent in it that was not in the later one.
    const isCovered = isCoveredBy(lost, head);
    if (isCovered) this.confirm('an earlier state of what was confirmed before', nowMs);
    return !isCovered;
  }

  /**
   * The owner confirms that what was lost is lost: the ledger is raised to what was spent in it, and the log says so.
   * @throws InputError BAD_VALUE where nothing is to be confirmed
   */
  confirm(reason: string, nowMs: number): Lost[] {
    const lost = this.lost().filter(({ confirmedMs }) => confirmedMs === null);
    if (lost.length === 0) {
      throw new InputError('BAD_VALUE', { field: 'state', detail: 'no peer holds a later state than this one' });
    }
    let spent = inOrder(this.#ledger.totals());
    // Whether what was held back was charged, nobody here knows.
    for (const { head } of lost) spent = raised(spent, head.totals.map(atMost));
    this.#ledger.raise(spent, nowMs);
    const states = lost.map(({ head, heldBy }) => ({ size: head.size, root: head.root, held_by: heldBy }));
    this.#log.enter({ kind: 'restored', lost: states, reason, totals: this.#ledger.totals() }, nowMs);
    this.#prepare('UPDATE audit_lost SET confirmed_ms = ? WHERE confirmed_ms IS NULL').run(nowMs);
    return lost;
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Whether one that was confirmed is a later state than this. */
const isCoveredBy = (lost: readonly Lost[], head: Head): boolean =>
  lost.some((one) => one.confirmedMs !== null && one.head.size >= head.size && one.head.at >= head.at);

const newestFirst = (sizes: Iterable<number>): number[] => [...sizes].sort((a, b) => b - a);

/** In the frame it is a little shorter: MessagePack writes no quotes. */
const bytesOf = (value: object): number => Buffer.byteLength(JSON.stringify(value));
