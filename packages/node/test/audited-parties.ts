/**
 * Parties with real databases and nothing else of a node: jobs pass through their stores, and heads from one to the other.
 * @module
 */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import type { HeadOffer } from '@folkmoot/core/audit-head.js';
import { type Charter, charterHash, parseCharter, signCharter, withKeys } from '@folkmoot/core/charter.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { signer } from '@folkmoot/core/identity.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { makeKeys } from '@folkmoot/transport/keyring.js';
import Database from 'better-sqlite3';
import type { Self } from '../src/audit-exchange.ts';
import type { Claim } from '../src/ledger.ts';
import type { JobState } from '../src/lifecycle.ts';
import { openStore, type Store } from '../src/store.ts';

export const parties = ['camden', 'hackney', 'islington'] as const;
export type Party = (typeof parties)[number];

const charterYaml = (audit: string) => `
folkmoot: 1
charter: Test
version: 1
parties:
  camden: { name: Camden, owner: A }
  hackney: { name: Hackney, owner: B }
  islington: { name: Islington, owner: C }
analysts: { ana: { roles: [analyst] } }
purposes: { prevention: Plan }
datasets: {}
${audit}
`;

export interface AuditedParties {
  readonly charter: Charter;
  readonly folder: string;
  nowMs: number;
  store(party: Party): Store;
  self(party: Party): Self;
  /** A whole protected job of all parties, with heads shown before it. */
  job(name: string): void;
  /** What one shows to another now. */
  offer(party: Party, to?: readonly Party[]): HeadOffer;
  /** One looks at what it is shown; what it says goes back. */
  witness(party: Party, offers: Partial<Record<Party, unknown>>, issuedMs?: number): void;
  /** Opens a party's file as an administrator would, without the triggers. */
  administer(party: Party, work: (db: Database.Database) => void): void;
  /** Keeps a copy of a party's file, and puts it back. */
  backUp(party: Party): () => void;
  dispose(): void;
}

export async function makeAuditedParties(audit = ''): Promise<AuditedParties> {
  const folder = mkdtempSync(join(tmpdir(), 'folkmoot-audited-'));
  const rng = seededRng(7);
  let charter = parseCharter(charterYaml(audit), 'charter.yaml');
  const seeds = new Map<string, Uint8Array>();
  for (const party of parties) {
    const keys = await makeKeys('party', rng);
    seeds.set(party, keys.secret.identity);
    charter = withKeys(charter, party, keys.public);
  }
  const analyst = await makeKeys('analyst', rng);
  charter = withKeys(charter, 'ana', analyst.public);
  for (const party of parties) charter = signCharter(charter, party, signer(seeds.get(party)!));
  const hash = charterHash(charter);
  const stores = new Map<Party, Store>();
  const fileOf = (party: Party) => join(folder, party, 'node.sqlite');
  let copies = 0;

  const all: AuditedParties = {
    charter,
    folder,
    nowMs: Date.parse('2026-11-22T09:00:00Z'),
    store(party) {
      const store = stores.get(party) ?? openStore(join(folder, party), () => all.nowMs);
      stores.set(party, store);
      return store;
    },
    self: (party) => ({ party, charter, charterHash: hash, sign: signer(seeds.get(party)!) }),
    job(name) {
      all.nowMs += 60_000;
      const [received, accepted, ...rest] = lifeOf(name);
      for (const party of parties) for (const state of [received!, accepted!]) all.store(party).save(state);
      const offers = Object.fromEntries(parties.map((party) => [party, all.offer(party)]));
      for (const party of parties) all.witness(party, { ...offers, [party]: undefined });
      for (const party of parties) for (const state of rest) all.store(party).save(state);
    },
    offer: (party, to = parties.filter((one) => one !== party)) =>
      all.store(party).audited((_, nowMs, heads) => heads.offer(to, all.self(party), nowMs)),
    witness(party, offers, issuedMs = all.nowMs) {
      const given = new Map(Object.entries(offers).filter(([, offer]) => offer !== undefined));
      const said = all
        .store(party)
        .audited((_, nowMs, heads) => heads.witness(given, all.self(party), issuedMs, nowMs));
      for (const { of, size, signature } of said) {
        all.store(of as Party).audited((_, __, heads) => heads.take(party, size, signature, charter));
      }
    },
    administer(party, work) {
      stores.get(party)?.close();
      stores.delete(party);
      const db = new Database(fileOf(party));
      const triggers = db.prepare(`SELECT name FROM sqlite_master WHERE type = 'trigger'`).pluck().all() as string[];
      for (const name of triggers) db.exec(`DROP TRIGGER ${name}`);
      try {
        work(db);
      } finally {
        db.close();
      }
    },
    backUp(party) {
      stores.get(party)?.close();
      stores.delete(party);
      const copy = join(folder, `copy-${copies++}.sqlite`);
      copyFileSync(fileOf(party), copy);
      return () => {
        stores.get(party)?.close();
        stores.delete(party);
        for (const end of ['-wal', '-shm']) rmSync(`${fileOf(party)}${end}`, { force: true });
        mkdirSync(join(folder, party), { recursive: true });
        copyFileSync(copy, fileOf(party));
      };
    },
    dispose() {
      for (const store of stores.values()) store.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return all;
}

const sealed = new Uint8Array([1, 2, 3, 255]);

/** A protected job that costs ε 1.5. `asks` is another question than that of its name, and the key that it has at its start. */
export function lifeOf(name: string, asks: Partial<Pick<Claim, 'question' | 'key'>> = {}): JobState[] {
  const envelope = { analyst: 'ana', job: { title: `About ${name}`, purpose: 'prevention' } };
  const signed = { envelope, signature: '00' } as unknown as SignedJob;
  const own = { acceptance: { party: 'camden', rule: 'statistics', min_group: 5 } } as unknown as SignedAcceptance;
  const claim: Claim = {
    ...{ party: 'camden', analyst: 'ana', dataset: 'residents', period: '2026-Q4', question: name, key: name },
    ...{ unit: 'epsilon', cost: { micro: 1_500_000n, pico: 0n } },
    caps: { total: { micro: 1_000_000_000n, pico: 100n }, perAnalyst: null },
    ...asks,
  };
  const common = { job: name, signed, expiresMs: 99, attempt: 1, claim };
  return [
    { ...common, status: 'RECEIVED' },
    { ...common, status: 'ACCEPTED', acceptance: own },
    { ...common, status: 'RUNNING', acceptance: own, acceptances: [own] },
    { ...common, status: 'COMMITTED', acceptance: own, acceptances: [own], sealed },
    { ...common, status: 'OPENING', acceptance: own, opening: { sealed, commitments: {}, signatures: {} } },
    { ...common, status: 'RESULT' },
  ];
}
