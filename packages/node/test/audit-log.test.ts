import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { commitmentOf, leafOf } from '@folkmoot/core/audit-entry.js';
import { fromHex, toHex } from '@folkmoot/core/bytes.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { ProtocolError, reportOf } from '@folkmoot/core/errors.js';
import { sha256 } from '@folkmoot/core/hash.js';
import { verifyConsistency, verifyInclusion } from '@folkmoot/core/merkle-tree.js';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditTables } from '../src/audit-log.ts';
import type { Claim } from '../src/ledger.ts';
import type { JobState } from '../src/lifecycle.ts';
import { openStore, type Store } from '../src/store.ts';

const signed = {
  envelope: { analyst: 'ana', job: { title: 'Arrears', purpose: 'prevention' } },
  signature: '00',
} as unknown as SignedJob;
const own = { acceptance: { party: 'camden', rule: 'statistics', min_group: 5 } } as unknown as SignedAcceptance;
const sealed = new Uint8Array([1, 2, 3, 255]);
const common = { job: 'a1'.repeat(32), signed, expiresMs: 99, attempt: 1 };
const opening = { sealed, commitments: {}, signatures: {} };
const claim: Claim = {
  ...{ party: 'camden', analyst: 'ana', dataset: 'residents', period: '2026-Q4', question: 'q', key: 'k' },
  ...{ unit: 'epsilon', cost: { micro: 1_500_000n, pico: 7n } },
  caps: { total: { micro: 20_000_000n, pico: 100n }, perAnalyst: null },
};
const life: JobState[] = [
  { ...common, status: 'RECEIVED' },
  { ...common, claim, status: 'ACCEPTED', acceptance: own },
  { ...common, claim, status: 'RUNNING', acceptance: own, acceptances: [own] },
  { ...common, claim, status: 'COMMITTED', acceptance: own, acceptances: [own], sealed },
  { ...common, claim, status: 'OPENING', acceptance: own, opening },
  { ...common, claim, status: 'RESULT' },
];
const running = {
  charter: 'c0'.repeat(32),
  version: 1,
  policy: 'd0'.repeat(32),
  file: 'e0'.repeat(32),
  build: '0.1.0',
};

let folder: string;
let clock: number;
let store: Store;
const day = 24 * 3600 * 1000;
const payloads = () => store.audit.rows().map(({ payload }) => JSON.parse(payload ?? 'null'));
const kinds = () => payloads().map((payload) => payload?.kind ?? null);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-audit-'));
  clock = Date.parse('2026-11-22T09:00:00Z');
  store = openStore(folder, () => clock);
});
afterEach(() => {
  store.close();
  rmSync(folder, { recursive: true });
});

describe('the audit log of a node', () => {
  it('says that an attempt halted, after the commitment and before it is known whether another party has opened', () => {
    for (const state of life.slice(0, 4)) store.save(state);
    store.save({ ...common, claim, status: 'HALTED', acceptance: own, acceptances: [own], sealed });
    expect(payloads().at(-1)).toMatchObject({ kind: 'halted', job: common.job, attempt: 1 });
  });

  it('says what happened to a job, with its charge, and nothing that came from a record', () => {
    for (const state of life) store.save(state);
    const { job } = common;
    const bytes = { sha256: toHex(sha256(sealed)), bytes: 4 };
    const at = '2026-11-22T09:00:00.000Z';
    expect(payloads()).toEqual(
      [
        { kind: 'begun', totals: [] },
        { kind: 'job', job, analyst: 'ana', title: 'Arrears', purpose: 'prevention' },
        {
          kind: 'verdict',
          job,
          verdict: 'accepted',
          rule: 'statistics',
          acceptance: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
        { kind: 'attempt', job, attempt: 1, parties: ['camden'] },
        { kind: 'commitment', job, attempt: 1, ...bytes },
        { kind: 'charge', job, dataset: 'residents', period: '2026-Q4', unit: 'epsilon', micro: '1500000', pico: '7' },
        { kind: 'opening', job, attempt: 1, ...bytes },
        { kind: 'end', job, end: 'RESULT' },
      ].map((event) => ({ at, ...event })),
    );
  });

  it('says how a job ended otherwise, and enters nothing twice', () => {
    const report = reportOf(new ProtocolError('TAMPERED', { party: 'hackney' }));
    store.save(life[0]!);
    store.save(life[0]!);
    store.save(life[1]!);
    store.save(life[2]!);
    store.save({ ...common, attempt: 2, status: 'ACCEPTED', acceptance: own });
    store.save({ ...common, attempt: 2, status: 'ABORTED', report });
    store.save({ ...common, job: 'b2', status: 'DENIED', report }, 'column arrears, line 7');
    store.save({ ...common, job: 'c3', status: 'CANCELLED' });
    expect(payloads().slice(4)).toMatchObject([
      { kind: 'renunciation', attempt: 1 },
      { kind: 'end', end: 'ABORTED', code: 'TAMPERED' },
      { kind: 'verdict', job: 'b2', verdict: 'denied', code: 'TAMPERED' },
      { kind: 'end', job: 'c3', end: 'CANCELLED' },
    ]);
    expect(JSON.stringify(payloads())).not.toContain('line 7');
  });

  it('has an entry exactly where the state that it is about is on the disk', () => {
    for (const state of life.slice(0, 2)) store.save(state);
    const before = store.audit.rows();
    expect(() => store.save({ ...life[1]!, job: 'nobody knows it', status: 'OPENING' } as JobState)).toThrow();
    const dear = { ...claim, cost: { micro: 19_000_000n, pico: 0n } };
    expect(() => store.save({ ...life[1]!, job: 'b2', claim: dear } as JobState)).toThrow(
      expect.objectContaining({ code: 'BUDGET_EXCEEDED' }),
    );
    expect(store.audit.rows()).toEqual(before);
    expect(() => store.declarePeriod('residents', '2026-Q4')).not.toThrow();
    expect(() => store.declarePeriod('residents', '2026-Q4')).toThrow(
      expect.objectContaining({ code: 'PERIOD_ENDED' }),
    );
    expect(kinds()).toEqual(['begun', 'job', 'verdict', 'period']);
  });

  it('enters charter and configuration where they are new, and periods where they begin', () => {
    const start = (changed: Partial<typeof running> = {}) =>
      store.audited((log, nowMs) => log.enterStart({ ...running, ...changed }, nowMs));
    start();
    start();
    store.periodFromFile('residents', '2026-Q4');
    store.periodFromFile('residents', '2026-Q4');
    start({ policy: 'd1'.repeat(32) });
    start({ policy: 'd1'.repeat(32), charter: 'c1'.repeat(32), version: 2 });
    expect(kinds()).toEqual(['begun', 'charter', 'configuration', 'period', 'configuration', 'charter']);
  });

  it('commits to each entry under a salt of its own, and proves every entry and every growth', () => {
    for (const state of life) store.save(state);
    const rows = store.audit.rows();
    expect(new Set(rows.map(({ salt }) => salt)).size).toBe(rows.length);
    const root = fromHex(store.audit.root());
    rows.forEach(({ entry, commitment, salt, payload }, index) => {
      expect(entry).toBe(index);
      expect(toHex(commitmentOf(fromHex(salt!), payload!))).toBe(commitment);
      const path = store.audit.inclusion(entry, rows.length).map(fromHex);
      expect(verifyInclusion(leafOf(commitment), entry, rows.length, path, root)).toBe(true);
      const before = fromHex(store.audit.root(index + 1));
      const proof = store.audit.consistency(index + 1, rows.length).map(fromHex);
      expect(verifyConsistency(index + 1, rows.length, before, root, proof)).toBe(true);
    });
  });

  it('drops texts and salts that are older than they are kept, while the tree stays', () => {
    for (const state of life.slice(0, 4)) store.save(state);
    clock += 10 * day;
    for (const state of life.slice(4)) store.save(state);
    const [size, root] = [store.audit.size(), store.audit.root()];
    const drop = (days: number) => store.audited((log, nowMs) => log.drop(days, nowMs));
    drop(11);
    expect(store.audit.size()).toBe(size);
    drop(5);
    expect(kinds()).toEqual([...Array(5).fill(null), 'charge', 'opening', 'end', 'retention']);
    expect(
      store.audit
        .rows()
        .slice(0, 5)
        .every(({ salt }) => salt === null),
    ).toBe(true);
    expect(payloads().at(-1)).toMatchObject({ below: 5, days: 5, totals: [{ micro: '1500000', pico: '7' }] });
    expect(store.audit.root(size)).toBe(root);
    drop(5);
    expect(store.audit.size()).toBe(size + 1);
  });

  it('is added to and never changed, whoever asks the database', () => {
    for (const state of life.slice(0, 3)) store.save(state);
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    for (const sql of [
      `UPDATE audit SET payload = '{}' WHERE entry = 1`,
      `UPDATE audit SET commitment = 'x', salt = NULL, payload = NULL WHERE entry = 1`,
      `UPDATE audit SET entry = 9, salt = NULL, payload = NULL WHERE entry = 1`,
      'UPDATE audit SET salt = NULL WHERE entry = 1',
      'DELETE FROM audit WHERE entry = 3',
      `INSERT INTO audit (entry, commitment) VALUES (7, 'x')`,
      `INSERT OR REPLACE INTO audit (entry, commitment) VALUES (1, 'x')`,
      `UPDATE audit_nodes SET hash = 'x'`,
      'DELETE FROM audit_nodes',
    ]) {
      expect(() => db.exec(sql), sql).toThrow();
    }
    db.close();
    store = openStore(folder, () => clock);
    expect(kinds()).toEqual(['begun', 'job', 'verdict', 'attempt']);
  });

  it('begins with what a ledger that is older than it had spent', () => {
    store.close();
    rmSync(join(folder, 'node.sqlite'));
    store = openStore(folder, () => clock);
    for (const state of life) store.save(state);
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    db.exec('DROP TABLE audit; DROP TABLE audit_nodes;');
    db.exec(auditTables);
    db.close();
    store = openStore(folder, () => clock);
    store.declarePeriod('residents', '2027-Q1');
    expect(payloads()).toMatchObject([
      { kind: 'begun', totals: [{ micro: '1500000', pico: '7' }] },
      { kind: 'period' },
    ]);
  });
});
