/**
 * Whether a node's database is what it says it is: the file itself, what makes its writes durable, and the sums of its
 * ledger. Only read.
 *
 *   total = free + reserved + spent      of each dataset, as node.yaml grants it
 *   reserved ≥ 0 of every job, and 0 of one that has ended
 *   no opening of a protected job without its charge
 * @module
 */
import { type Finding, fail, ok, warn } from '@folkmoot/transport/finding.js';
import type Database from 'better-sqlite3';
import { capsOf } from './budget.ts';
import type { NodeConfig } from './config.ts';
import { Ledger, remaining } from './ledger.ts';
import type { Periods } from './period.ts';

const restore = 'stop the node, keep a copy of the state folder as it is, and restore the last good one';
const ask = 'stop the node, keep a copy of the state folder, and compare the ledger with the other parties’ records';

/** `isOwn` where this is the connection that the running node writes through: what is set for it can be told. */
export function integrityFindings(
  db: Database.Database,
  datasets: NodeConfig['datasets'],
  periods: Pick<Periods, 'current'>,
  isOwn: boolean,
): Finding[] {
  return [
    fileFinding(db),
    durabilityFinding(db, isOwn),
    ...ledgerFindings(db),
    ...budgetFindings(db, datasets, periods),
  ];
}

function fileFinding(db: Database.Database): Finding {
  const faults = db.pragma('integrity_check(3)', { simple: true }) as string;
  if (faults !== 'ok') return fail('database', 'SQLite finds the file damaged', restore);
  const orphans = db.pragma('foreign_key_check') as readonly unknown[];
  if (orphans.length > 0) return fail('database', `${orphans.length} rows belong to nothing`, restore);
  const jobs = db.prepare('SELECT count(*) FROM jobs').pluck().get() as number;
  return ok('database', `whole; ${jobs} ${jobs === 1 ? 'job' : 'jobs'}`);
}

function durabilityFinding(db: Database.Database, isOwn: boolean): Finding {
  // A copy made by VACUUM INTO has another journal until its first start.
  if (!isOwn)
    return ok('durability', 'every start of the node sets WAL and synchronous=FULL, and every write looks after it');
  const mode = db.pragma('journal_mode', { simple: true });
  const remedy = 'copy the state folder to a disk that can hold SQLite’s WAL: no network share';
  if (mode !== 'wal') return fail('durability', `the journal is ${String(mode)}, not WAL`, remedy);
  const level = db.pragma('synchronous', { simple: true });
  return level === 2
    ? ok('durability', 'WAL, and every write waits for the disk')
    : fail('durability', 'writes do not wait for the disk', 'start the node again; report it if it recurs');
}

function ledgerFindings(db: Database.Database): Finding[] {
  const sum = (column: string) =>
    `coalesce(sum(${column}) FILTER (WHERE kind = 'reserve'), 0) - coalesce(sum(${column}) FILTER (WHERE kind = 'release'), 0)`;
  const held = `SELECT job, ${sum('micro')} AS micro, ${sum('pico')} AS pico FROM ledger GROUP BY job`;
  const count = (sql: string) => db.prepare(`SELECT count(*) FROM (${sql})`).pluck().get() as number;
  const negative = count(`SELECT 1 FROM (${held}) WHERE micro < 0 OR pico < 0`);
  const left = count(
    `SELECT 1 FROM (${held}) AS h JOIN jobs USING (job) WHERE ended = 1 AND (micro <> 0 OR pico <> 0)`,
  );
  const unpaid = count(
    `SELECT 1 FROM openings JOIN jobs USING (job) WHERE claim IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.job = openings.job AND kind IN ('charge', 'repeat'))`,
  );
  const faults = [
    ...(negative > 0 ? [`${negative} jobs released more than they held`] : []),
    ...(left > 0 ? [`${left} jobs have ended and still hold a part of a budget`] : []),
    ...(unpaid > 0 ? [`${unpaid} answers were opened without a charge`] : []),
  ];
  if (faults.length > 0) return [fail('ledger', faults.join('; '), ask)];
  const entries = db.prepare('SELECT count(*) FROM ledger').pluck().get() as number;
  return [ok('ledger', `${entries} ${entries === 1 ? 'entry' : 'entries'}, and nothing opened without its charge`)];
}

/** One line a dataset with a budget. */
function budgetFindings(
  db: Database.Database,
  datasets: NodeConfig['datasets'],
  periods: Pick<Periods, 'current'>,
): Finding[] {
  const ledger = new Ledger(db);
  return Object.entries(datasets).flatMap(([dataset, { budget, period: named }]) => {
    if (budget === undefined) return [];
    const period = periods.current(dataset) ?? named;
    const { total } = capsOf(budget);
    const standing = ledger.standing(dataset, period);
    const free = remaining(total, standing);
    const isSum = (part: 'micro' | 'pico') =>
      total[part] === free[part] + standing.reserved[part] + standing.spent[part];
    const check = `budget ${dataset}`;
    if (!isSum('micro') || !isSum('pico')) {
      const remedy = 'nothing more is spent in this period; compare with the copy of node.yaml that was agreed on';
      return [warn(check, `more is spent or held back in ${period} than node.yaml grants now`, remedy)];
    }
    const isNearlySpent = free.micro * 10n < total.micro;
    const text = `free, held back and spent add up to the total in ${period}`;
    return [
      isNearlySpent
        ? warn(
            check,
            `${text}; less than a tenth is free`,
            'tell the analysts, or declare the next period when it is due',
          )
        : ok(check, text),
    ];
  });
}
