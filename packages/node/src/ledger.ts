/**
 * The ledger of a party: what each protected dataset has given away in each period, and to whom.
 *
 * Rows are only ever added (the database refuses anything else), amounts are integers that were rounded up: millionths of
 * ε or ρ, and 10⁻¹² of δ. A dataset has one unit for all of a period.
 *
 *   reserve ─▶ release            the job ended and nothing of it was sent
 *   reserve ─▶ release + charge   in the transaction of the opening, before its first byte leaves
 *   (reserve ─▶ release +) repeat the same question was charged before: the same noise again, and nothing more is learnt
 *
 * What is reserved counts as spent until it is released, so that two jobs at once never overspend: spent + reserved never
 * exceeds a cap. Nothing here looks at the clock but to write down when; a budget is renewed by a new period alone.
 *
 * Security  additive composition, which holds however questions depend on earlier answers (DESIGN §9)
 * @module
 */
import { assert } from '@folkmoot/core/assert.js';
import { inOrder, type LedgerTotal, type StatedTotal } from '@folkmoot/core/audit-entry.js';
import { PolicyError } from '@folkmoot/core/errors.js';
import type Database from 'better-sqlite3';

export type BudgetUnit = 'epsilon' | 'rho';

/** `micro` counts millionths of ε or ρ, `pico` 10⁻¹² of δ. */
export interface Amount {
  readonly micro: bigint;
  readonly pico: bigint;
}

/** What node.yaml allows on a dataset in one period. */
export interface Caps {
  readonly total: Amount;
  /** For each analyst; null where only the total bounds them. */
  readonly perAnalyst: Amount | null;
}

/** What a protected job asks of the ledger. */
export interface Claim {
  readonly party: string;
  readonly analyst: string;
  readonly dataset: string;
  /** This party's own period. */
  readonly period: string;
  /** Hashes of the question and of all that takes part in it but the readings of others. */
  readonly question: string;
  /** The hash of the question over all parties' readings: known once all have accepted. It is charged once, ever. */
  readonly key: string | null;
  readonly unit: BudgetUnit;
  readonly cost: Amount;
  readonly caps: Caps;
}

/** What was spent and what is held back, of one analyst or of all. */
export interface Standing {
  readonly spent: Amount;
  readonly reserved: Amount;
}

export interface LedgerEntry {
  readonly entry: number;
  readonly kind: 'reserve' | 'release' | 'charge' | 'repeat';
  readonly job: string;
  readonly analyst: string;
  readonly dataset: string;
  readonly period: string;
  readonly unit: BudgetUnit;
  readonly cost: Amount;
  readonly atMs: number;
}

export interface EntriesOf {
  readonly analyst?: string;
  readonly kind?: LedgerEntry['kind'];
  readonly limit: number;
}

/** The tables; see database.ts. */
export const ledgerTables = `
  CREATE TABLE ledger (
    entry INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN ('reserve', 'release', 'charge', 'repeat')),
    job TEXT NOT NULL REFERENCES jobs, analyst TEXT NOT NULL, dataset TEXT NOT NULL, period TEXT NOT NULL,
    question TEXT NOT NULL, key TEXT, unit TEXT NOT NULL CHECK (unit IN ('epsilon', 'rho')),
    micro INTEGER NOT NULL CHECK (micro >= 0), pico INTEGER NOT NULL CHECK (pico >= 0), at_ms INTEGER NOT NULL,
    CHECK (key IS NOT NULL OR kind IN ('reserve', 'release'))
  ) STRICT;
  CREATE UNIQUE INDEX ledger_once_a_key ON ledger (key) WHERE kind = 'charge';
  CREATE UNIQUE INDEX ledger_once_a_job ON ledger (job) WHERE kind IN ('charge', 'repeat');
  CREATE INDEX ledger_by_job ON ledger (job);
  CREATE INDEX ledger_by_account ON ledger (dataset, period, analyst);
  CREATE TRIGGER ledger_is_not_changed BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
  CREATE TRIGGER ledger_is_not_cut BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;`;

/**
 * What was spent in a state that was lost, over what this one knows of it: nobody knows by whom, so it counts for everyone.
 * The tables; see database.ts.
 */
export const raisedTables = `
  CREATE TABLE ledger_raised (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, dataset TEXT NOT NULL, period TEXT NOT NULL,
    unit TEXT NOT NULL CHECK (unit IN ('epsilon', 'rho')),
    micro INTEGER NOT NULL CHECK (micro >= 0), pico INTEGER NOT NULL CHECK (pico >= 0), at_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX ledger_raised_by_account ON ledger_raised (dataset, period);
  CREATE TRIGGER ledger_raised_is_not_changed BEFORE UPDATE ON ledger_raised
    BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;
  CREATE TRIGGER ledger_raised_is_not_cut BEFORE DELETE ON ledger_raised
    BEGIN SELECT RAISE(ABORT, 'the ledger is only added to'); END;`;

/** Amounts of a job are far below; SQLite’s integers end at 2^63, and sums of these within a cap stay there. */
const amountMax = 1n << 60n;

interface Row {
  entry: bigint;
  kind: LedgerEntry['kind'];
  job: string;
  analyst: string;
  dataset: string;
  period: string;
  question: string;
  key: string | null;
  unit: BudgetUnit;
  micro: bigint;
  pico: bigint;
  at_ms: bigint;
}

/** The ledger within a node's database. `reserve`, `begin`, `charge` and `release` belong into the caller's transaction. */
export class Ledger {
  readonly #db: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(db: Database.Database) {
    this.#db = db;
  }

  /** Whether this analyst was charged for the question over the period, whatever the readings of others then. */
  wasCharged({ analyst, dataset, period, question }: Claim): boolean {
    return (
      this.#prepare(
        `SELECT 1 FROM ledger
         WHERE dataset = ? AND period = ? AND analyst = ? AND question = ? AND kind = 'charge' LIMIT 1`,
      ).get(dataset, period, analyst, question) !== undefined
    );
  }

  /**
   * At the acceptance. A question that may turn out to be charged already is let through: `begin` will know.
   * @throws PolicyError BUDGET_EXCEEDED naming party, cap and remainder; BUDGET_UNIT
   */
  reserve(job: string, claim: Claim, nowMs: number): void {
    if (!this.wasCharged(claim)) this.#hold(job, claim, nowMs);
  }

  /** Refuses what `reserve` would refuse now, and writes nothing. @throws PolicyError BUDGET_EXCEEDED, BUDGET_UNIT */
  afford(claim: Claim): void {
    if (!this.wasCharged(claim)) this.#check(claim, nothing);
  }

  /**
   * At the start, when the readings of all are known: what is charged already is free, anything else is held back now.
   * The caps may be lower than when the job was accepted: what it holds already has to fit into them once more.
   * @throws PolicyError BUDGET_EXCEEDED, BUDGET_UNIT
   */
  begin(job: string, claim: Claim, nowMs: number): void {
    assert(claim.key !== null, 'a job starts with the readings of all parties in hand');
    if (this.#isCharged(claim.key)) this.release(job, nowMs);
    else this.#hold(job, claim, nowMs);
  }

  /** At the opening: spends what was held back. It cannot be refused any more, and is never taken back. */
  charge(job: string, claim: Claim, nowMs: number): void {
    assert(claim.key !== null, 'a job opens with the readings of all parties in hand');
    const held = this.#held(job);
    this.release(job, nowMs);
    if (this.#isCharged(claim.key)) {
      this.#add('repeat', job, claim, nothing, nowMs);
      return;
    }
    const covers = held.micro >= claim.cost.micro && held.pico >= claim.cost.pico;
    assert(covers, 'a job is opened only with its cost held back');
    this.#add('charge', job, claim, claim.cost, nowMs);
  }

  /** At an end without an opening, and harmless at any other: gives back what is still held. */
  release(job: string, nowMs: number): void {
    const held = this.#held(job);
    if (held.micro === 0n && held.pico === 0n) return;
    const last = this.#prepare(`SELECT * FROM ledger WHERE job = ? ORDER BY entry DESC LIMIT 1`).get(job) as Row;
    this.#insert({ ...last, kind: 'release', micro: held.micro, pico: held.pico, at_ms: BigInt(nowMs) });
  }

  /** Of a dataset in a period: over all analysts, or of one. */
  standing(dataset: string, period: string, analyst?: string): Standing {
    const row = this.#prepare(
      `SELECT ${sums(['charge'])} + (${raisedOf('micro')}) AS spentMicro,
         ${sums(['charge'], 'pico')} + (${raisedOf('pico')}) AS spentPico,
         ${sums(['reserve'])} - ${sums(['release'])} AS reservedMicro,
         ${sums(['reserve'], 'pico')} - ${sums(['release'], 'pico')} AS reservedPico
       FROM ledger WHERE dataset = @dataset AND period = @period AND (@analyst IS NULL OR analyst = @analyst)`,
    ).get({ dataset, period, analyst: analyst ?? null }) as Record<string, bigint>;
    return {
      spent: { micro: row.spentMicro!, pico: row.spentPico! },
      reserved: { micro: row.reservedMicro!, pico: row.reservedPico! },
    };
  }

  /** The latest rows first: of all analysts or of one, of every kind or of one. */
  entries({ analyst, kind, limit }: EntriesOf): LedgerEntry[] {
    const where = '(@analyst IS NULL OR analyst = @analyst) AND (@kind IS NULL OR kind = @kind)';
    return this.#listed(where, { analyst: analyst ?? null, kind: kind ?? null, limit });
  }

  #listed(where: string, values: object): LedgerEntry[] {
    const sql = `SELECT * FROM ledger WHERE ${where} ORDER BY entry DESC LIMIT @limit`;
    const rows = this.#prepare(sql).all(values) as Row[];
    return rows.map(({ entry, kind: entered, job, analyst: by, dataset, period, unit, micro, pico, at_ms }) => ({
      ...{ entry: Number(entry), kind: entered, job, analyst: by, dataset, period, unit },
      ...{ cost: { micro, pico }, atMs: Number(at_ms) },
    }));
  }

  /**
   * What each dataset has spent in each period, over all analysts, and what jobs under way may yet spend of it: what they
   * hold back, or their whole cost where nothing is held, since the question may have been charged before.
   */
  stated(): StatedTotal[] {
    const amount = (kinds: string, column: string) => `CAST(sum(CASE kind ${kinds} ELSE 0 END * ${column}) AS TEXT)`;
    const [spent, held] = [`WHEN 'charge' THEN 1`, `WHEN 'reserve' THEN 1 WHEN 'release' THEN -1`];
    const rows = this.#prepare(
      `SELECT dataset, period, unit, ${amount(spent, 'micro')} AS micro, ${amount(spent, 'pico')} AS pico,
         ${amount(held, 'micro')} AS heldMicro, ${amount(held, 'pico')} AS heldPico
       FROM (SELECT dataset, period, unit, kind, micro, pico FROM ledger
             UNION ALL SELECT dataset, period, unit, 'charge', micro, pico FROM ledger_raised
             UNION ALL SELECT ${claimed('dataset')}, ${claimed('period')}, ${claimed('unit')}, 'reserve',
               ${unheld('micro')}, ${unheld('pico')}
             FROM jobs WHERE claim IS NOT NULL AND status IN ('ACCEPTED', 'RUNNING', 'COMMITTED', 'HALTED'))
       GROUP BY dataset, period, unit`,
    ).all() as (LedgerTotal & { heldMicro: string; heldPico: string })[];
    return inOrder(
      rows.map(({ heldMicro, heldPico, ...total }) => ({ ...total, reserved: { micro: heldMicro, pico: heldPico } })),
    );
  }

  /** What each dataset has spent in each period, over all analysts. */
  totals(): LedgerTotal[] {
    const spent = this.stated().filter(({ micro, pico }) => micro !== '0' || pico !== '0');
    return spent.map(({ reserved: _, ...total }) => total);
  }

  /** Raises what is spent to these totals, where it is less. */
  raise(to: readonly LedgerTotal[], nowMs: number): void {
    const now = this.totals();
    for (const { dataset, period, unit, micro, pico } of to) {
      const own = now.find((one) => one.dataset === dataset && one.period === period && one.unit === unit);
      const more = {
        micro: above(BigInt(micro), BigInt(own?.micro ?? 0)),
        pico: above(BigInt(pico), BigInt(own?.pico ?? 0)),
      };
      if (more.micro === 0n && more.pico === 0n) continue;
      this.#prepare(
        `INSERT INTO ledger_raised (dataset, period, unit, micro, pico, at_ms)
         VALUES (@dataset, @period, @unit, @micro, @pico, @at)`,
      ).run({ dataset, period, unit, ...more, at: BigInt(nowMs) });
    }
  }

  /** What a job was charged, or that it repeats a question that was. */
  charged(job: string): LedgerEntry | undefined {
    return this.#listed(`job = @job AND kind IN ('charge', 'repeat')`, { job, limit: 1 })[0];
  }

  /** Those who have an entry for a dataset in a period, in ascending order. */
  analysts(dataset: string, period: string): string[] {
    return this.#prepare('SELECT DISTINCT analyst FROM ledger WHERE dataset = ? AND period = ? ORDER BY analyst')
      .pluck()
      .all(dataset, period) as string[];
  }

  #isCharged(key: string): boolean {
    return this.#prepare(`SELECT 1 FROM ledger WHERE key = ? AND kind = 'charge'`).get(key) !== undefined;
  }

  /** Holds back what this job does not hold yet. */
  #hold(job: string, claim: Claim, nowMs: number): void {
    const { cost } = claim;
    assert(cost.micro < amountMax && cost.pico < amountMax, 'a cost is an amount that the ledger can count');
    const held = this.#held(job);
    this.#check(claim, held);
    const more = { micro: above(cost.micro, held.micro), pico: above(cost.pico, held.pico) };
    if (more.micro > 0n || more.pico > 0n) this.#add('reserve', job, claim, more, nowMs);
  }

  /** Exactly what is left may be taken, and nothing above. What the job itself holds already is left to it. */
  #check(claim: Claim, held: Amount): void {
    const { cost } = claim;
    const { analyst, dataset, period, caps, unit, party } = claim;
    const other = this.#prepare(
      `SELECT unit FROM ledger WHERE dataset = @dataset AND period = @period AND unit <> @unit UNION ALL
       SELECT unit FROM ledger_raised WHERE dataset = @dataset AND period = @period AND unit <> @unit LIMIT 1`,
    );
    if (other.get({ dataset, period, unit }) !== undefined) {
      throw new PolicyError('BUDGET_UNIT', {
        party,
        field: `datasets.${dataset}.budget`,
        detail: `in ${period} it was charged in another unit`,
        remedy: 'the data owner keeps the unit for the period, or declares the next period',
      });
    }
    const accounts = [
      { cap: caps.perAnalyst, of: analyst, standing: this.standing(dataset, period, analyst) },
      { cap: caps.total, of: undefined, standing: this.standing(dataset, period) },
    ];
    for (const { cap, of, standing } of accounts) {
      if (cap === null) continue;
      const { spent, reserved } = standing;
      const others = { micro: reserved.micro - held.micro, pico: reserved.pico - held.pico };
      const left = remaining(cap, { spent, reserved: others });
      if (cost.micro <= left.micro && cost.pico <= left.pico) continue;
      throw exceeded(claim, of, cap, left);
    }
  }

  #held(job: string): Amount {
    return this.#prepare(
      `SELECT ${sums(['reserve'])} - ${sums(['release'])} AS micro,
         ${sums(['reserve'], 'pico')} - ${sums(['release'], 'pico')} AS pico FROM ledger WHERE job = ?`,
    ).get(job) as Amount;
  }

  #add(kind: LedgerEntry['kind'], job: string, claim: Claim, amount: Amount, nowMs: number): void {
    const { analyst, dataset, period, question, key, unit } = claim;
    this.#insert({ kind, job, analyst, dataset, period, question, key, unit, ...amount, at_ms: BigInt(nowMs) });
  }

  #insert(row: Omit<Row, 'entry'>): void {
    this.#prepare(
      `INSERT INTO ledger (kind, job, analyst, dataset, period, question, key, unit, micro, pico, at_ms)
       VALUES (@kind, @job, @analyst, @dataset, @period, @question, @key, @unit, @micro, @pico, @at_ms)`,
    ).run(row);
  }

  #prepare(sql: string): Database.Statement {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql).safeIntegers(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

function sums(kinds: readonly LedgerEntry['kind'][], column: 'micro' | 'pico' = 'micro'): string {
  return `coalesce(sum(${column}) FILTER (WHERE kind IN (${kinds.map((kind) => `'${kind}'`).join(', ')})), 0)`;
}

function raisedOf(column: 'micro' | 'pico'): string {
  return `SELECT coalesce(sum(${column}), 0) FROM ledger_raised WHERE dataset = @dataset AND period = @period`;
}

const claimed = (path: string): string => `jobs.claim ->> '$.${path}'`;

/** What a job under way costs, over what it holds back. */
function unheld(column: 'micro' | 'pico'): string {
  const held = `SELECT ${sums(['reserve'], column)} - ${sums(['release'], column)} FROM ledger WHERE ledger.job = jobs.job`;
  return `max(0, CAST(${claimed(`cost.${column}`)} AS INTEGER) - (${held}))`;
}

const nothing: Amount = { micro: 0n, pico: 0n };

const above = (wanted: bigint, held: bigint): bigint => (wanted > held ? wanted - held : 0n);

/** What can still be asked for; 0 where a cap was lowered below what is spent. */
export function remaining(cap: Amount, { spent, reserved }: Standing): Amount {
  return {
    micro: above(cap.micro, spent.micro + reserved.micro),
    pico: above(cap.pico, spent.pico + reserved.pico),
  };
}

function exceeded(claim: Claim, analyst: string | undefined, cap: Amount, left: Amount): PolicyError {
  const { party, dataset, period, unit, cost } = claim;
  const whose = analyst === undefined ? 'of all analysts together' : `of ${analyst}`;
  return new PolicyError('BUDGET_EXCEEDED', {
    party,
    field: `datasets.${dataset}.budget`,
    detail:
      `the job costs ${amountText(unit, cost)}; ${amountText(unit, left)} is left ` +
      `of the ${amountText(unit, cap)} ${whose} in ${period}`,
  });
}

/** `ε 1.5`, `ε 1 and δ 0.000001`, `ρ 0.1`. */
function amountText(unit: BudgetUnit, { micro, pico }: Amount): string {
  const letter = unit === 'epsilon' ? 'ε' : 'ρ';
  const main = `${letter} ${decimalOf(micro, 6)}`;
  return pico === 0n ? main : `${main} and δ ${decimalOf(pico, 12)}`;
}

/** 1500000 with 6 places is `1.5`. */
export function decimalOf(count: bigint, places: number): string {
  const digits = count.toString().padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return digits.slice(0, -places) + (fraction === '' ? '' : `.${fraction}`);
}
