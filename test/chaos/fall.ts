/**
 * Loaded before the program of a node or a coordinator (`--import`), it ends that process by SIGKILL at a place in the
 * life of a job: the one that stands in the file that `FOLKMOOT_FALL` names, if there is one when the process comes by.
 * The program itself has no such places and knows nothing of this.
 *
 * - *within* the transaction that writes a state: it is not on the disk yet, and nothing of what follows has happened;
 * - *after* it, at the line of the log that says so. A node writes that line before anything that follows; a coordinator
 *   after it has sent what follows.
 * @module
 */
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { isMainThread } from 'node:worker_threads';

export interface Fall {
  readonly state: string;
  readonly moment: 'within' | 'after';
  /** Of the first that comes by, unless given. Within the coordinator's transactions none is known. */
  readonly attempt?: number;
}

interface Statement {
  run(...parameters: unknown[]): unknown;
}
interface Database {
  prepare(sql: string): Statement;
}

const file = process.env.FOLKMOOT_FALL;
if (file !== undefined && isMainThread) {
  watchLog(file);
  watchDatabase(file);
}

function watchLog(place: string): void {
  const write = fs.writeSync as (...given: unknown[]) => number;
  fs.writeSync = ((...given: unknown[]) => {
    const written = write(...given);
    const line = /"event":"job-(moved|queued)".*\}/.exec(String(given[1]))?.[0];
    if (line !== undefined) {
      const { state, attempt } = JSON.parse(`{${line}`) as { state: string; attempt: number };
      passBy(place, 'after', state, attempt);
    }
    return written;
  }) as typeof fs.writeSync;
}

function watchDatabase(place: string): void {
  const packageOf = new URL('../../packages/node/package.json', import.meta.url);
  const { prototype } = createRequire(packageOf)('better-sqlite3') as { prototype: Database };
  const { prepare } = prototype;
  prototype.prepare = function (this: Database, sql: string): Statement {
    const statement = prepare.call(this, sql);
    if (!/^(insert into|update) "?jobs"?\s/i.test(sql)) return statement;
    const run = statement.run.bind(statement);
    statement.run = (...parameters) => {
      const result = run(...parameters);
      const [given] = parameters;
      const values = Object.values(given as object) as unknown[];
      const { attempt } = given as { attempt?: number };
      for (const value of values) if (typeof value === 'string') passBy(place, 'within', value, attempt);
      return result;
    };
    return statement;
  };
}

/** The file goes first: the next life does not fall here again. */
function passBy(place: string, moment: Fall['moment'], state: string, attempt: number | undefined): void {
  if (!/^[A-Z]+$/.test(state) || !fs.existsSync(place)) return;
  const fall = JSON.parse(fs.readFileSync(place, 'utf8')) as Fall;
  if (fall.state !== state || fall.moment !== moment) return;
  if (fall.attempt !== undefined && fall.attempt !== attempt) return;
  fs.rmSync(place);
  process.kill(process.pid, 'SIGKILL');
}
