/**
 * A database in memory that one seed after another begins with as it was made: each runs in a transaction around all of
 * its own, which are savepoints in it, and which is rolled back at its end.
 *
 * So tables are made once and each statement is prepared once, however many seeds and stores there are: the same
 * statements, and half of the time.
 * @module
 */
import Database from 'better-sqlite3';

export interface SeedDatabase {
  readonly db: Database.Database;
  begin(): void;
  /** Forgets all that was written since. */
  end(): void;
}

/** What stands for the ends of a transaction within another one. */
const begin = 'SAVEPOINT work';
const commit = 'RELEASE work';
const rollback = 'ROLLBACK TO work; RELEASE work';

/** `prepare` makes the tables, as on a new disk. */
export function seedDatabase(prepare: (db: Database.Database) => unknown): SeedDatabase {
  const db = new Database(':memory:');
  prepare(db);
  const real = { prepare: db.prepare.bind(db), exec: db.exec.bind(db), pragma: db.pragma.bind(db) };
  const run = () => {
    real.exec(rollback);
    return {};
  };
  const words = new Map<string, Database.Statement>([
    ['begin', real.prepare(begin) as Database.Statement],
    ['commit', real.prepare(commit) as Database.Statement],
    ['rollback', { reader: false, run } as unknown as Database.Statement],
  ]);
  Object.assign(db, {
    prepare: (sql: string) => {
      let statement = words.get(sql);
      if (statement === undefined) {
        statement = real.prepare(sql) as Database.Statement;
        words.set(sql, statement);
      }
      return statement;
    },
    exec: (sql: string) =>
      real.exec(sql.replace(/\bBEGIN (IMMEDIATE|EXCLUSIVE)\b/, begin).replace(/\bCOMMIT\b/, commit)),
    // What a store sets when it opens the file was set above, and cannot be set within a transaction.
    pragma: (text: string, how?: Database.PragmaOptions) => (text.includes('=') ? [] : real.pragma(text, how)),
  });
  return { db, begin: () => real.exec('BEGIN'), end: () => real.exec('ROLLBACK') };
}
