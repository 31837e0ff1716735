/**
 * A coordinator's doctor: looks at all that it needs before it starts, or while it runs, and changes nothing.
 *
 * The database of a running one is locked: then its own word at /health counts. A PostgreSQL is asked itself.
 * @module
 */
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { charterHash, checkSealed, fingerprint, parseCharter, partiesOf } from '@folkmoot/core/charter.js';
import { StateError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { type Finding, fail, failed, looked, ok, warn } from '@folkmoot/transport/finding.js';
import { diskFinding, privacyFinding, type Room } from '@folkmoot/transport/premises.js';
import {
  charterFinding,
  clockFinding,
  failingText,
  type Reached,
  reach,
  versionsFinding,
} from '@folkmoot/transport/reach.js';
import Database from 'better-sqlite3';
import { type ConfigOverrides, type CoordinatorConfig, readConfig, readText } from './config.ts';
import { postgresVersion } from './postgres-database.ts';
import { schemaVersion } from './schema.ts';
import { version } from './server.ts';

export interface DoctorOptions {
  readonly configFile: string;
  readonly overrides?: ConfigOverrides;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** How little room is too little. */
  readonly room?: Room;
}

/** Each thing that was looked at, in the order in which a person would mend them. */
export async function examineCoordinator(options: DoctorOptions): Promise<Finding[]> {
  const { configFile, overrides, env, clock, room } = options;
  let config: CoordinatorConfig;
  try {
    config = readConfig(configFile, overrides);
  } catch (error) {
    return [failed('coordinator.yaml', error)];
  }
  const findings: Finding[] = [ok('coordinator.yaml', `listens on ${config.host}:${config.port}`)];
  let hash: string | undefined;
  findings.push(
    await looked('charter', () => {
      const charter = parseCharter(readText(config.charter, 'charter'), 'charter');
      checkSealed(charter);
      hash = charterHash(charter);
      const words = `version ${charter.version}, signed by all ${partiesOf(charter).length} parties; compare by telephone:`;
      return ok('charter', `${words} ${fingerprint(charter)} (${hash.slice(0, 12)}…)`);
    }),
  );

  let reached: Reached | undefined;
  try {
    reached = config.port === 0 ? undefined : await reach(`ws://${loopbackOf(config)}`, clock, { isOwn: true });
  } catch {
    // It does not run, or something else does: what that means for its address is looked at below.
  }
  const { state } = config;
  if ('folder' in state) {
    findings.push(
      privacyFinding('state folder', state.folder),
      diskFinding(state.folder, 'a coordinator that cannot write takes no job', room),
    );
    findings.push(await looked('database', () => sqliteFinding(state.folder, reached)));
  } else {
    findings.push(await looked('database', () => postgresFinding(state.urlEnv, env)));
  }
  if (reached === undefined) {
    findings.push(await looked('address', () => addressFinding(config)));
    return findings;
  }
  findings.push(
    reached.status === 'ok'
      ? ok('coordinator', `it runs, and is well (version ${reached.version})`)
      : fail('coordinator', `it runs, and ${failingText(reached)}`, 'look at its /health, which names the remedy'),
    clockFinding(reached.aheadMs),
    ...(hash === undefined ? [] : [charterFinding(hash, reached)]),
    versionsFinding(version, reached),
  );
  return findings;
}

/** Whoever listens on all addresses is reached on this one. */
function loopbackOf({ host, port }: CoordinatorConfig): string {
  const isAll = host === '0.0.0.0' || host === '[::]';
  return `${isAll ? '127.0.0.1' : host}:${port}`;
}

function sqliteFinding(folder: string, reached: Reached | undefined): Finding {
  const file = join(folder, 'coordinator.sqlite');
  if (!existsSync(file)) return ok('database', 'there is none before the first start');
  const restore = 'restore the state folder from its last good copy, or start with an empty one';
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: 0 });
    const found = db.prepare("SELECT value FROM meta WHERE key = 'schema'").pluck().get();
    if (Number(found ?? 0) > schemaVersion) throw new StateError('STATE_NEWER', { field: 'state' });
    if (db.pragma('integrity_check(3)', { simple: true }) !== 'ok') {
      return fail('database', 'SQLite finds the file damaged', restore);
    }
    const mode = db.pragma('journal_mode', { simple: true });
    if (mode !== 'wal') return fail('database', `the journal is ${String(mode)}, not WAL`, restore);
    const jobs = db.prepare('SELECT count(*) FROM jobs').pluck().get() as number;
    return ok('database', `whole; ${jobs} ${jobs === 1 ? 'job' : 'jobs'}; WAL`);
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    if (code.startsWith('SQLITE_BUSY') && reached !== undefined)
      return ok('database', 'in use by the coordinator that runs');
    if (code.startsWith('SQLITE_BUSY')) {
      const remedy = 'look for a coordinator that runs with another address, or that hangs';
      return fail('database', 'another process uses it, and no coordinator answers here', remedy);
    }
    if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) return fail('database', `it is no database any more (${code})`, restore);
    throw error;
  } finally {
    db?.close();
  }
}

/** Looked at by a connection that writes nothing. The address holds a password: no part of it is told. */
async function postgresFinding(name: string, env: DoctorOptions['env']): Promise<Finding> {
  const url = env[name];
  if (url === undefined || url === '') {
    return fail('database', `\`${name}\` is not set`, 'set it to the address of the PostgreSQL database');
  }
  const found = await postgresVersion(url);
  if (found > schemaVersion) throw new StateError('STATE_NEWER', { field: 'state.postgres' });
  if (found === schemaVersion) return ok('database', 'PostgreSQL lets us in, and its tables are of this version');
  const which = found === 0 ? 'has no tables yet' : 'has tables of an older version';
  return ok('database', `PostgreSQL lets us in, and ${which}; the next start sees to it`);
}

/** Whether a coordinator could listen there now. */
function addressFinding({ host, port }: CoordinatorConfig): Promise<Finding> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => {
      const remedy = 'choose a free address, or stop what listens there';
      resolve(fail('address', `${host}:${port} cannot be listened on, and no coordinator answers there`, remedy));
    });
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => {
      const remedy = 'start it: `folkmoot coordinator coordinator.yaml`';
      server.close(() => resolve(warn('address', `no coordinator runs on ${host}:${port}`, remedy)));
    });
  });
}
