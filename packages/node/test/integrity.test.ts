import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../src/database.ts';
import { integrityFindings } from '../src/integrity.ts';
import { Periods } from '../src/period.ts';

let folder: string;
let db: Database.Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
  db = openDatabase(folder);
});
afterEach(() => {
  db.close();
  rmSync(folder, { recursive: true });
});

const job = (id: string, status: string) =>
  db
    .prepare(
      `INSERT INTO jobs (job, status, attempt, expires_ms, signed, received_ms, changed_ms, ended, claim)
       VALUES (?, ?, 1, 0, '{}', 0, 0, 1, '{}')`,
    )
    .run(id, status);
const enter = (kind: string, id: string, micro: number, key: string | null = null) =>
  db
    .prepare(
      `INSERT INTO ledger (kind, job, analyst, dataset, period, question, key, unit, micro, pico, at_ms)
       VALUES (?, ?, 'ann', 'people', '2026-Q4', 'q', ?, 'epsilon', ?, 0, 0)`,
    )
    .run(kind, id, key, micro);
const binding = (epsilon?: number) => ({
  people: {
    period: '2026-Q4',
    source: { file: 'people.csv' },
    columns: {},
    ...(epsilon === undefined ? {} : { budget: { epsilon } }),
  },
});
const findings = (epsilon?: number, isOwn = true) => integrityFindings(db, binding(epsilon), new Periods(db), isOwn);
const line = (check: string, epsilon?: number) => findings(epsilon).find((one) => one.check === check);

describe('the integrity of a node’s database', () => {
  it('is whole, durable, and its ledger adds up', () => {
    job('a', 'RESULT');
    enter('reserve', 'a', 5);
    enter('release', 'a', 5);
    enter('charge', 'a', 5, 'k');
    expect(findings(10)).toEqual([
      { check: 'database', level: 'ok', text: 'whole; 1 job' },
      { check: 'durability', level: 'ok', text: 'WAL, and every write waits for the disk' },
      { check: 'ledger', level: 'ok', text: '3 entries, and nothing opened without its charge' },
      { check: 'budget people', level: 'ok', text: 'free, held back and spent add up to the total in 2026-Q4' },
    ]);
    expect(findings(undefined, false)[1]?.text).toContain('every start');
  });

  it('is in doubt where writes do not wait for the disk, or the journal is another one', () => {
    db.pragma('synchronous = NORMAL');
    expect(line('durability')).toMatchObject({ level: 'fail', text: 'writes do not wait for the disk' });
    db.pragma('journal_mode = DELETE');
    expect(line('durability')).toMatchObject({ level: 'fail', text: 'the journal is delete, not WAL' });
  });

  it('is lost where rows belong to nothing', () => {
    db.pragma('foreign_keys = OFF');
    db.exec(`INSERT INTO attempts VALUES ('nowhere', 1, 0)`);
    expect(line('database')).toMatchObject({ level: 'fail', text: '1 rows belong to nothing' });
  });

  it('is in doubt where a ledger does not add up', () => {
    for (const id of ['a', 'b']) job(id, 'ABORTED');
    job('c', 'RESULT');
    enter('release', 'a', 5);
    enter('reserve', 'b', 7);
    db.exec(`INSERT INTO attempts VALUES ('c', 1, 0); INSERT INTO sealed VALUES ('c', 1, x'00', x'00');
      INSERT INTO openings VALUES ('c', 1, '{}', '{}')`);
    const { level, text } = line('ledger')!;
    expect(level).toBe('fail');
    expect(text).toContain('1 jobs released more than they held');
    expect(text).toContain('2 jobs have ended and still hold a part of a budget');
    expect(text).toContain('1 answers were opened without a charge');
  });

  it('warns where little is left of a budget, or more is spent than node.yaml grants now', () => {
    job('a', 'RESULT');
    enter('charge', 'a', 2_000_000, 'k');
    expect(line('budget people', 10)).toMatchObject({ level: 'ok' });
    expect(line('budget people', 2.1)).toMatchObject({ level: 'warn', text: expect.stringContaining('a tenth') });
    expect(line('budget people', 1)).toMatchObject({
      level: 'warn',
      text: expect.stringContaining('node.yaml grants'),
    });
    expect(line('budget people')).toBeUndefined();
  });
});
