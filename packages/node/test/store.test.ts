import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { ProtocolError, reportOf } from '@folkmoot/core/errors.js';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../src/database.ts';
import type { JobState } from '../src/lifecycle.ts';
import { openStore, Store } from '../src/store.ts';

const signed = {
  envelope: { analyst: 'ana', job: { title: 'Arrears', purpose: 'prevention' } },
  signature: '00',
} as unknown as SignedJob;
const own = { acceptance: { party: 'camden', rule: 'statistics', min_group: 5 } } as unknown as SignedAcceptance;
const acceptances = [
  own,
  { acceptance: { party: 'hackney', rule: 'other', min_group: 7 } } as unknown as SignedAcceptance,
];
const sealed = new Uint8Array([1, 2, 3, 255]);
const opening = { sealed, commitments: { camden: 'c0' }, signatures: { camden: '50' } };
const common = { job: 'a1', signed, expiresMs: 99, attempt: 1 };
const report = reportOf(new ProtocolError('TAMPERED', { party: 'hackney' }));
const states: JobState[] = [
  { ...common, status: 'RECEIVED' },
  { ...common, status: 'ACCEPTED', acceptance: own },
  { ...common, status: 'RUNNING', acceptance: own, acceptances },
  { ...common, status: 'COMMITTED', acceptance: own, acceptances, sealed },
  { ...common, status: 'OPENING', acceptance: own, opening },
  { ...common, status: 'RESULT' },
];

describe('the state of a node', () => {
  let folder: string;
  let clock = 0;
  let store: Store;
  const reopen = () => {
    store.close();
    store = openStore(folder, () => clock);
  };
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'folkmoot-')), 'state');
    clock = 1000;
    store = openStore(folder, () => clock);
  });
  afterEach(() => {
    store.close();
    rmSync(join(folder, '..'), { recursive: true });
  });

  it('gives back every state as it was saved, also to the next process', () => {
    for (const state of states) {
      store.save(state);
      expect(store.load('a1')).toEqual(state);
      expect(store.open()).toEqual(state.status === 'RESULT' ? [] : ['a1']);
      reopen();
      expect(store.load('a1')).toEqual(state);
    }
    expect(store.load('b2')).toBeUndefined();
  });

  it('remembers the highest epoch that a coordinator spoke of a job with, and no lower one', () => {
    store.save({ ...states[0]!, epoch: 2 });
    store.raiseEpoch('a1', 5);
    store.raiseEpoch('a1', 3);
    expect(store.load('a1')?.epoch).toBe(5);
    store.save({ ...states[1]!, epoch: 4 });
    expect(store.load('a1')).toEqual({ ...states[1], epoch: 5 });
  });

  it('is refused where its file is a symbolic link', () => {
    store.close();
    const linked = mkdtempSync(join(tmpdir(), 'folkmoot-'));
    symlinkSync(join(folder, 'node.sqlite'), join(linked, 'node.sqlite'));
    expect(() => openStore(linked, () => clock)).toThrow(expect.objectContaining({ code: 'STATE_LINKED' }));
    rmSync(linked, { recursive: true });
    store = openStore(folder, () => clock);
  });

  it('is the same in memory, for as long as its process lives', () => {
    const inMemory = new Store(prepareDatabase(new Database(':memory:')), () => clock);
    for (const state of states) {
      inMemory.save(state);
      expect(inMemory.load('a1')).toEqual(state);
    }
    inMemory.close();
  });

  it('gives back what was opened once it is delivered, and not before', () => {
    for (const state of states.slice(0, 5)) store.save(state);
    expect(store.delivered('a1')).toBeUndefined();
    store.save(states[5]!);
    reopen();
    expect(store.delivered('a1')).toEqual(states[4]);
    expect(store.delivered('b2')).toBeUndefined();
  });

  it('names every job that has not ended, also where the bytes of one are damaged', () => {
    for (const state of states.slice(0, 4)) store.save(state);
    store.save({ ...states[0]!, job: 'b2' });
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    db.exec(`UPDATE sealed SET bytes = x'00' WHERE job = 'a1'`);
    db.close();
    store = openStore(folder, () => clock);
    expect(store.open()).toEqual(['a1', 'b2']);
    expect(() => store.load('a1')).toThrow(expect.objectContaining({ code: 'STATE_FAILED', field: 'sealed' }));
    expect(store.load('b2')).toMatchObject({ status: 'RECEIVED' });
  });

  const next: JobState = { ...common, attempt: 2, status: 'ACCEPTED', acceptance: own };

  it('keeps that an attempt has halted, with the bytes that may yet be opened', () => {
    const halted: JobState = { ...common, status: 'HALTED', acceptance: own, acceptances, sealed };
    for (const state of [...states.slice(0, 4), halted]) store.save(state);
    reopen();
    expect(store.load('a1')).toEqual(halted);
    store.save({ ...halted, report });
    reopen();
    expect(store.load('a1')).toEqual({ ...halted, report });
    store.save(states[4]!);
    expect(store.load('a1')).toEqual(states[4]);
  });

  it('keeps a later attempt beside the one that it renounced', () => {
    for (const state of states.slice(0, 4)) store.save(state);
    const later = states.slice(2).map((state): JobState => ({ ...state, attempt: 2 }));
    for (const state of [next, ...later]) {
      store.save(state);
      reopen();
      expect(store.load('a1')).toEqual(state);
    }
    expect(store.released()).toMatchObject([{ job: 'a1', attempt: 2 }]);
  });

  it('refuses to open what it renounced, and to renounce what it opened, whoever asks', () => {
    for (const state of [...states.slice(0, 4), next]) store.save(state);
    expect(() => store.save(states[4]!)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    expect(store.load('a1')).toEqual(next);
    expect(store.released()).toEqual([]);
    const other = states.map((state): JobState => ({ ...state, job: 'b2' }));
    for (const state of other.slice(0, 5)) store.save(state);
    expect(() => store.save({ ...next, job: 'b2' })).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    expect(store.load('b2')).toEqual(other[4]);
  });

  it.each(['DENIED', 'ABORTED'] as const)('keeps why a job was %s, and the detail for its owner', (status) => {
    store.save(states[0]!);
    store.save({ ...common, status, report }, 'column arrears, line 7');
    expect(store.load('a1')).toEqual({ ...common, status, report });
    expect(store.list()).toEqual([
      { job: 'a1', status, attempt: 1, report, detail: 'column arrears, line 7', changedMs: 1000 },
    ]);
    expect(store.open()).toEqual([]);
  });

  it('lists what was released from the opening on, and when it was delivered', () => {
    for (const state of states.slice(0, 4)) store.save(state);
    expect(store.released()).toEqual([]);
    clock = 2000;
    store.save(states[4]!);
    const entry = { job: 'a1', attempt: 1, releasedMs: 2000, analyst: 'ana', title: 'Arrears', purpose: 'prevention' };
    const rest = { rule: 'statistics', minGroup: 5, bytes: 4 };
    expect(store.released()).toEqual([{ ...entry, ...rest, deliveredMs: null }]);
    clock = 3000;
    store.save(states[5]!);
    expect(store.released()).toEqual([{ ...entry, ...rest, deliveredMs: 3000 }]);
  });

  it('never writes an attempt, its sealed bytes or its opening a second time', () => {
    for (const state of states.slice(0, 5)) store.save(state);
    for (const state of states.slice(2, 5)) {
      expect(() => store.save(state)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    }
    expect(store.load('a1')).toEqual(states[4]);
  });

  it('changes nothing where a part of the transaction fails', () => {
    store.save(states[0]!);
    // Sealed bytes without an attempt.
    expect(() => store.save(states[3]!)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    expect(store.load('a1')).toEqual(states[0]);
  });

  it('is held by one process at a time', () => {
    expect(() => openStore(folder, () => 0)).toThrow(expect.objectContaining({ code: 'STATE_IN_USE' }));
    store.save(states[0]!);
    expect(() => openStore(folder, () => 0)).toThrow(expect.objectContaining({ code: 'STATE_IN_USE' }));
  });

  it('refuses a state that a newer version wrote', () => {
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    const version = db.pragma('user_version', { simple: true });
    db.pragma('user_version = 999');
    db.close();
    expect(() => openStore(folder, () => 0)).toThrow(expect.objectContaining({ code: 'STATE_NEWER' }));
    const back = new Database(join(folder, 'node.sqlite'));
    back.pragma(`user_version = ${version}`);
    back.close();
    store = openStore(folder, () => 0);
  });

  it('takes up a state of the first version', () => {
    store.save(states[0]!);
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    db.exec('DROP TABLE ledger; DROP TABLE periods; DROP TABLE snapshots; ALTER TABLE jobs DROP COLUMN claim');
    db.exec('DROP TRIGGER denied_is_not_opened; DROP TABLE approvals; ALTER TABLE jobs DROP COLUMN hold');
    db.exec('DROP TABLE joins; DROP TRIGGER renounced_is_not_opened; DROP TABLE renounced');
    for (const name of [
      'audit',
      'audit_nodes',
      'audit_countersignatures',
      'audit_heads',
      'audit_issued',
      'audit_witnessed',
    ])
      db.exec(`DROP TABLE ${name}`);
    db.exec('DROP TABLE audit_lost; DROP TABLE ledger_raised; ALTER TABLE jobs DROP COLUMN epoch');
    db.pragma('user_version = 1');
    db.close();
    store = openStore(folder, () => clock);
    expect(store.load('a1')).toEqual(states[0]);
    expect(store.periodFromFile('residents', '2026-Q4')).toBe('2026-Q4');
  });

  it('refuses a file that is no database, and sealed bytes that the disk changed', () => {
    for (const state of states.slice(0, 4)) store.save(state);
    store.close();
    const db = new Database(join(folder, 'node.sqlite'));
    db.prepare('UPDATE sealed SET bytes = ?').run(Buffer.from([9]));
    db.close();
    store = openStore(folder, () => 0);
    expect(() => store.load('a1')).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    const other = join(folder, 'other');
    openStore(other, () => 0).close();
    writeFileSync(join(other, 'node.sqlite'), 'not a database, but long enough to be looked at as one'.repeat(20));
    expect(() => openStore(other, () => 0)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
  });

  it('waits for the disk on every open: WAL with synchronous FULL', () => {
    // Another program that lowers it is noticed at the next write, not believed.
    const pragma = Database.prototype.pragma;
    Database.prototype.pragma = function (this: Database.Database, text: string, options) {
      return pragma.call(this, text === 'synchronous = FULL' ? 'synchronous = NORMAL' : text, options);
    } as typeof pragma;
    try {
      const lowered = join(folder, 'lowered');
      expect(() => openStore(lowered, () => 0)).toThrow(expect.objectContaining({ code: 'STATE_FAILED' }));
    } finally {
      Database.prototype.pragma = pragma;
    }
  });

  it('lets nobody else look into its folder', () => {
    expect(statSync(folder).mode & 0o077).toBe(0);
  });
});
