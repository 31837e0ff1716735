import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { isFolkmootError, ProtocolError, reportOf } from '@folkmoot/core/errors.js';
import type Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../src/database.ts';
import { type Amount, type Claim, decimalOf } from '../src/ledger.ts';
import type { JobState } from '../src/lifecycle.ts';
import { Store } from '../src/store.ts';

const signed = { envelope: { analyst: 'ana', job: { purpose: 'p' } }, signature: '00' } as unknown as SignedJob;
const acceptance = { acceptance: { party: 'camden', rule: 'r', min_group: 5 } } as unknown as SignedAcceptance;
const report = reportOf(new ProtocolError('TAMPERED'));
const epsilon = (micro: bigint, pico = 0n): Amount => ({ micro, pico });
const opening = { sealed: new Uint8Array([7]), commitments: {}, signatures: {} };

const asked: Claim = {
  party: 'camden',
  analyst: 'ana',
  dataset: 'residents',
  period: '2026-Q4',
  question: 'q1',
  key: null,
  unit: 'epsilon',
  cost: epsilon(1_000_000n),
  caps: { total: epsilon(3_000_000n), perAnalyst: epsilon(2_000_000n) },
};

let folder: string;
let db: Database.Database;
let store: Store;
let nowMs: number;
const open = () => {
  db = openDatabase(folder);
  store = new Store(db, () => nowMs);
};
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'folkmoot-')), 'state');
  nowMs = 1_000;
  open();
});
afterEach(() => {
  store.close();
  rmSync(join(folder, '..'), { recursive: true });
});

const claimOf = (change: Partial<Claim> = {}): Claim => ({ ...asked, ...change });
/** A job as it lives: each function makes one step of it durable. */
function life(job: string, claim: Claim) {
  const common = { job, signed, expiresMs: 99, attempt: 1 };
  const keyed = { ...claim, key: claim.key ?? `${claim.analyst}/${claim.question}/${claim.period}` };
  const save = (state: JobState) => store.save(state);
  return {
    accept() {
      save({ ...common, status: 'RECEIVED' });
      save({ ...common, status: 'ACCEPTED', acceptance, claim });
    },
    start: () => save({ ...common, status: 'RUNNING', acceptance, acceptances: [acceptance], claim: keyed }),
    open() {
      save({
        ...common,
        status: 'COMMITTED',
        acceptance,
        acceptances: [acceptance],
        sealed: opening.sealed,
        claim: keyed,
      });
      save({ ...common, status: 'OPENING', acceptance, opening, claim: keyed });
    },
    /** The attempt broke, and another one may follow. */
    renounce() {
      common.attempt += 1;
      save({ ...common, status: 'ACCEPTED', acceptance, claim: keyed });
    },
    deliver: () => save({ ...common, status: 'RESULT', claim: keyed }),
    abort: () => save({ ...common, status: 'ABORTED', report, claim: keyed }),
    expire: () => save({ ...common, status: 'EXPIRED', claim: keyed }),
  };
}
const whole = (job: string, claim: Claim) => {
  const { accept, start, open: opens } = life(job, claim);
  accept();
  start();
  opens();
};
const standing = (analyst?: string) => store.ledger.standing('residents', '2026-Q4', analyst);
const entries = () => store.ledger.entries({ limit: 1_000 }).toReversed();
const kinds = () => entries().map(({ kind, job }) => `${kind} ${job}`);
const refused = (code: string) => expect.objectContaining({ code });

describe('the ledger', () => {
  it('holds back at the acceptance, spends at the opening, and keeps both over a restart', () => {
    const job = life('a', asked);
    job.accept();
    expect(standing('ana')).toEqual({ spent: epsilon(0n), reserved: asked.cost });
    job.start();
    job.open();
    expect(standing('ana')).toEqual({ spent: asked.cost, reserved: epsilon(0n) });
    store.close();
    open();
    expect(standing()).toEqual({ spent: asked.cost, reserved: epsilon(0n) });
    expect(kinds()).toEqual(['reserve a', 'release a', 'charge a']);
  });

  it('spends once for all attempts, and holds back in between what the first one did', () => {
    const job = life('a', asked);
    job.accept();
    job.start();
    for (let attempt = 2; attempt <= 3; attempt++) {
      job.renounce();
      expect(standing('ana')).toEqual({ spent: epsilon(0n), reserved: asked.cost });
      job.start();
    }
    job.open();
    expect(kinds()).toEqual(['reserve a', 'release a', 'charge a']);
    const other = life('b', claimOf({ question: 'q2' }));
    other.accept();
    other.start();
    other.renounce();
    other.abort();
    expect(kinds().slice(3)).toEqual(['reserve b', 'release b']);
    expect(standing('ana')).toEqual({ spent: asked.cost, reserved: epsilon(0n) });
  });

  it('gives back what was held where nothing was opened, once', () => {
    const job = life('a', asked);
    job.accept();
    job.start();
    job.abort();
    job.abort();
    expect(kinds()).toEqual(['reserve a', 'release a']);
    expect(standing()).toEqual({ spent: epsilon(0n), reserved: epsilon(0n) });
  });

  it('gives nothing back once a job was opened, however it ends', () => {
    const job = life('a', asked);
    whole('b', claimOf({ question: 'q2' }));
    job.accept();
    job.start();
    job.open();
    job.expire();
    expect(standing()).toEqual({ spent: epsilon(2_000_000n), reserved: epsilon(0n) });
  });

  it('allows exactly what is left, and refuses a millionth more, naming party, cap and remainder', () => {
    whole('a', claimOf({ cost: epsilon(1_400_000n) }));
    const over = life('b', claimOf({ question: 'q2', cost: epsilon(600_001n) }));
    expect(() => over.accept()).toThrow(
      expect.objectContaining({
        code: 'BUDGET_EXCEEDED',
        party: 'camden',
        field: 'datasets.residents.budget',
        message: expect.stringContaining(
          'the job costs ε 0.600001; ε 0.6 is left of the ε 2 of ana in 2026-Q4',
        ) as string,
      }),
    );
    expect(store.load('b')).toMatchObject({ status: 'RECEIVED' });
    whole('c', claimOf({ question: 'q3', cost: epsilon(600_000n) }));
    expect(standing('ana').spent).toEqual(epsilon(2_000_000n));
  });

  it('bounds all analysts together, and δ beside ε', () => {
    const caps = { total: epsilon(3_000_000n, 100n), perAnalyst: null };
    whole('a', claimOf({ caps, cost: epsilon(2_000_000n, 60n) }));
    const bob = { analyst: 'bob', caps };
    const late = life('b', claimOf({ ...bob, cost: epsilon(1n, 41n) }));
    expect(() => late.accept()).toThrow(/δ 0\.00000000004 is left of the ε 3 and δ 0\.0000000001 of all analysts/);
    const large = life('c', claimOf({ ...bob, cost: epsilon(1_000_001n) }));
    expect(() => large.accept()).toThrow(refused('BUDGET_EXCEEDED'));
    whole('d', claimOf({ ...bob, cost: epsilon(1_000_000n, 40n) }));
  });

  it('charges a question once for all its periods, and again in another period or for another analyst', () => {
    whole('a', asked);
    whole('b', asked);
    expect(kinds()).toEqual(['reserve a', 'release a', 'charge a', 'repeat b']);
    expect(standing().spent).toEqual(asked.cost);
    whole('c', claimOf({ analyst: 'bob' }));
    expect(store.ledger.analysts('residents', '2026-Q4')).toEqual(['ana', 'bob']);
    const charged = store.ledger.entries({ analyst: 'ana', kind: 'charge', limit: 10 });
    expect(charged.map(({ job }) => job)).toEqual(['a']);
    expect(standing().spent).toEqual(epsilon(2_000_000n));
    whole('d', claimOf({ period: '2027-Q1' }));
    expect(store.ledger.standing('residents', '2027-Q1').spent).toEqual(asked.cost);
  });

  it('accepts what may be charged already without holding back, and holds back at the start where it is not', () => {
    whole('a', claimOf({ key: 'with their period 1' }));
    const other = life('b', claimOf({ key: 'with their period 2' }));
    other.accept();
    expect(standing().reserved).toEqual(epsilon(0n));
    other.start();
    expect(standing().reserved).toEqual(asked.cost);
    other.open();
    const third = life('c', claimOf({ key: 'with their period 3' }));
    third.accept();
    expect(() => third.start()).toThrow(refused('BUDGET_EXCEEDED'));
    expect(store.load('c')).toMatchObject({ status: 'ACCEPTED' });
    third.abort();
    expect(standing()).toEqual({ spent: epsilon(2_000_000n), reserved: epsilon(0n) });
  });

  it('refuses the start where the owner has lowered a cap or changed the unit since the acceptance', () => {
    const [job, other] = [life('a', asked), life('b', claimOf({ question: 'q2' }))];
    job.accept();
    other.accept();
    const lowered = (micro: bigint) => claimOf({ caps: { total: epsilon(micro), perAnalyst: null } });
    expect(() => life('a', lowered(1_999_999n)).start()).toThrow(refused('BUDGET_EXCEEDED'));
    expect(() => life('a', claimOf({ unit: 'rho' })).start()).toThrow(refused('BUDGET_UNIT'));
    expect(store.load('a')).toMatchObject({ status: 'ACCEPTED' });
    other.abort();
    life('a', lowered(1_000_000n)).start();
    expect(standing().reserved).toEqual(asked.cost);
  });

  it('holds back the rest where the start knows of a larger cost, and charges a smaller one as it is', () => {
    const common = { job: 'a', signed, expiresMs: 99, attempt: 1, acceptance } as const;
    store.save({ ...common, status: 'RECEIVED' });
    store.save({ ...common, status: 'ACCEPTED', claim: asked });
    const claim = claimOf({ key: 'k', cost: epsilon(1_000_000n, 0n) });
    store.save({ ...common, status: 'RUNNING', acceptances: [], claim: { ...claim, cost: epsilon(1_500_000n) } });
    expect(standing().reserved).toEqual(epsilon(1_500_000n));
    store.save({ ...common, status: 'COMMITTED', acceptances: [acceptance], sealed: opening.sealed, claim });
    store.save({ ...common, status: 'OPENING', opening, claim });
    expect(standing()).toEqual({ spent: asked.cost, reserved: epsilon(0n) });
  });

  it('charges one of two jobs that put the same question at once', () => {
    const [one, two] = [life('a', asked), life('b', asked)];
    for (const job of [one, two]) job.accept();
    for (const job of [one, two]) job.start();
    expect(standing().reserved).toEqual(epsilon(2_000_000n));
    for (const job of [one, two]) job.open();
    expect(standing()).toEqual({ spent: asked.cost, reserved: epsilon(0n) });
  });

  it('keeps one unit for a dataset in a period', () => {
    whole('a', asked);
    const inRho = life('b', claimOf({ question: 'q2', unit: 'rho' }));
    expect(() => inRho.accept()).toThrow(refused('BUDGET_UNIT'));
    whole('c', claimOf({ question: 'q2', unit: 'rho', period: '2027-Q1' }));
  });

  it('never spends more than a cap, whatever jobs do at the same time', () => {
    const step = fc.record({
      job: fc.integer({ min: 0, max: 9 }),
      does: fc.constantFrom('accept', 'start', 'open', 'abort', 'expire', 'restart'),
    });
    const made = fc.record({
      analyst: fc.constantFrom('ana', 'bob'),
      question: fc.constantFrom('q1', 'q2', 'q3', 'q4', 'q5'),
      cost: fc.bigInt({ min: 1n, max: 1_200_000n }).map((micro) => epsilon(micro)),
    });
    const legal: Record<string, string> = { accept: 'new', start: 'accept', open: 'start' };
    let run = 0;
    fc.assert(
      fc.property(
        fc.array(made, { minLength: 10, maxLength: 10 }),
        fc.array(step, { maxLength: 60 }),
        (jobs, steps) => {
          const period = `p${run++}`;
          // A question has one cost.
          const costs = new Map(jobs.map(({ question, cost }) => [question, cost]));
          const claims = jobs.map((job) => claimOf({ ...job, period, cost: costs.get(job.question)! }));
          const lives = claims.map((claim, index) => life(`${period}/${index}`, claim));
          const at = lives.map(() => 'new');
          const opened = new Map<string, bigint>();
          for (const { job, does } of steps) {
            if (does === 'restart') {
              store.close();
              open();
              continue;
            }
            const ends = does === 'abort' || does === 'expire';
            if (ends ? !['accept', 'start'].includes(at[job]!) : at[job] !== legal[does]) continue;
            try {
              lives[job]![does]();
              at[job] = does;
              const { analyst, question, cost } = claims[job]!;
              if (does === 'open') opened.set(`${analyst}/${question}`, cost.micro);
            } catch (error) {
              if (!isFolkmootError(error) || error.code !== 'BUDGET_EXCEEDED') throw error;
              if (does === 'accept') at[job] = 'refused';
            }
            const total = store.ledger.standing('residents', period);
            expect(total.spent.micro + total.reserved.micro).toBeLessThanOrEqual(3_000_000n);
            expect(total.spent.micro).toBe([...opened.values()].reduce((sum, one) => sum + one, 0n));
            for (const analyst of ['ana', 'bob']) {
              const own = store.ledger.standing('residents', period, analyst);
              expect(own.spent.micro + own.reserved.micro).toBeLessThanOrEqual(2_000_000n);
            }
          }
          lives.forEach((one, index) => {
            if (['accept', 'start'].includes(at[index]!)) one.abort();
          });
          expect(store.ledger.standing('residents', period).reserved).toEqual(epsilon(0n));
        },
      ),
      { numRuns: 40, seed: 3 },
    );
  });

  it('is only added to: no row is changed, cut or replaced', () => {
    whole('a', asked);
    const before = entries();
    for (const sql of [
      'UPDATE ledger SET micro = 0',
      'DELETE FROM ledger',
      `INSERT OR REPLACE INTO ledger SELECT entry, kind, job, analyst, dataset, period, question, key, unit, 0, 0, 0 FROM ledger`,
      `UPDATE periods SET period = 'x'`,
    ]) {
      store.periodFromFile('residents', '2026-Q4');
      expect(() => db.exec(sql)).toThrow(/only added|UNIQUE/);
    }
    expect(entries()).toEqual(before);
  });

  it('does not look at the clock: set back or far ahead, the budget is the same', () => {
    whole('a', asked);
    for (const ms of [0, 1, 1_000 + 366 * 86_400_000]) {
      nowMs = ms;
      expect(standing().spent).toEqual(asked.cost);
      const over = life(`b${ms}`, claimOf({ question: 'q2', cost: epsilon(1_000_001n) }));
      expect(() => over.accept()).toThrow(refused('BUDGET_EXCEEDED'));
    }
    nowMs = 1;
    whole('c', claimOf({ question: 'q3' }));
    expect(entries().at(-1)).toMatchObject({ kind: 'charge', atMs: 1 });
  });

  it('opens nothing that it cannot write down: a full disk, a file that turned read-only', () => {
    const job = life('a', asked);
    job.accept();
    job.start();
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
    const large = new Uint8Array(1 << 20);
    const common = { job: 'a', signed, expiresMs: 99, attempt: 1, acceptance, claim: claimOf({ key: 'k' }) } as const;
    const full = expect.objectContaining({ code: 'STATE_FAILED', message: expect.stringContaining('SQLITE_FULL') });
    expect(() => store.save({ ...common, status: 'COMMITTED', acceptances: [acceptance], sealed: large })).toThrow(
      full,
    );
    db.pragma('max_page_count = 100000');
    store.save({ ...common, status: 'COMMITTED', acceptances: [acceptance], sealed: opening.sealed });
    db.pragma('query_only = ON');
    const readOnly = expect.objectContaining({ message: expect.stringContaining('SQLITE_READONLY') });
    expect(() => store.save({ ...common, status: 'OPENING', opening })).toThrow(readOnly);
    expect(standing()).toEqual({ spent: epsilon(0n), reserved: asked.cost });
    db.pragma('query_only = OFF');
    store.save({ ...common, status: 'OPENING', opening });
    expect(standing().spent).toEqual(asked.cost);
  });

  it('charges where the disk fills up at the opening: the charge and the opening fail together', () => {
    const job = life('a', asked);
    job.accept();
    job.start();
    const common = { job: 'a', signed, expiresMs: 99, attempt: 1, acceptance, claim: claimOf({ key: 'k' }) } as const;
    store.save({ ...common, status: 'COMMITTED', acceptances: [acceptance], sealed: opening.sealed });
    db.pragma('wal_checkpoint(TRUNCATE)');
    db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
    const signatures = { camden: 'f'.repeat(1 << 20) };
    expect(() => store.save({ ...common, status: 'OPENING', opening: { ...opening, signatures } })).toThrow(
      refused('STATE_FAILED'),
    );
    expect(store.load('a')).toMatchObject({ status: 'COMMITTED' });
    expect(standing().spent).toEqual(epsilon(0n));
  });

  it('writes amounts as people do', () => {
    expect([0n, 1n, 1_500_000n, 20_000_000n].map((micro) => decimalOf(micro, 6))).toEqual([
      '0',
      '0.000001',
      '1.5',
      '20',
    ]);
  });
});

describe('periods', () => {
  it('move on by the file or by command, and never back', () => {
    expect(store.period('residents')).toBeUndefined();
    expect(store.periodFromFile('residents', '2026-Q4')).toBe('2026-Q4');
    expect(store.periodFromFile('residents', '2026-Q4')).toBe('2026-Q4');
    store.declarePeriod('residents', '2027-Q1');
    store.close();
    open();
    // The file still names the period that it named last: what was declared stands.
    expect(store.periodFromFile('residents', '2026-Q4')).toBe('2027-Q1');
    expect(store.periodFromFile('residents', '2027-Q2')).toBe('2027-Q2');
    for (const earlier of ['2026-Q4', '2027-Q1']) {
      expect(() => store.periodFromFile('residents', earlier)).toThrow(refused('PERIOD_ENDED'));
      expect(() => store.declarePeriod('residents', earlier)).toThrow(refused('PERIOD_ENDED'));
    }
    expect(() => store.declarePeriod('residents', '2027-Q2')).toThrow(refused('PERIOD_ENDED'));
    expect(store.periodFromFile('patients', '2026-Q4')).toBe('2026-Q4');
  });

  it('are read once', () => {
    const record = { dictionary: 'd', sha256: 'ab' };
    store.enterSnapshot('residents', '2026-Q4', record);
    expect(store.snapshot('residents', '2026-Q4')).toEqual({ ...record, readMs: 1_000 });
    expect(() => store.enterSnapshot('residents', '2026-Q4', record)).toThrow(refused('SNAPSHOT_OTHER'));
    expect(store.snapshot('residents', '2027-Q1')).toBeUndefined();
  });
});
