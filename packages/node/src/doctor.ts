/**
 * A node's doctor: looks at all that a node needs before it starts, or while it runs, and changes nothing.
 *
 * The database of a running node is locked: then the node itself is asked, through its owner's channel. It is not logged
 * in at the coordinator for this where the node runs, since it is logged in already.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { toHex } from '@folkmoot/core/bytes.js';
import {
  type Charter,
  charterHash,
  checkSealed,
  fingerprint,
  parseCharter,
  partiesOf,
} from '@folkmoot/core/charter.js';
import { isFolkmootError, StateError, TransportError } from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { type Finding, fail, failed, looked, ok, warn } from '@folkmoot/transport/finding.js';
import { needsPassphrase } from '@folkmoot/transport/keyring.js';
import { connect } from '@folkmoot/transport/link.js';
import type { Outbound } from '@folkmoot/transport/outbound.js';
import { diskFinding, privacyFinding, type Room } from '@folkmoot/transport/premises.js';
import {
  certificateFinding,
  charterFinding,
  clockFinding,
  failingText,
  type Reached,
  reach,
  versionsFinding,
} from '@folkmoot/transport/reach.js';
import Database from 'better-sqlite3';
import { z } from 'zod';
import { auditFinding } from './audit-finding.ts';
import {
  type Membership,
  type NodeConfig,
  type Overrides,
  outboundOf,
  readMembership,
  readNodeConfig,
  readText,
} from './config.ts';
import { Connection } from './connection.ts';
import { databaseFile, databaseVersion, stateError } from './database.ts';
import { integrityFindings } from './integrity.ts';
import { nodeUrl, version } from './node.ts';
import { askOwner } from './owner-client.ts';
import { Periods } from './period.ts';
import { sourceFindings } from './source-check.ts';
import { Store } from './store.ts';

export interface DoctorOptions {
  readonly configFile: string;
  readonly overrides?: Overrides;
  readonly passphrase?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** How little room is too little. */
  readonly room?: Room;
}

/** A login takes two round trips. */
const loginMs = 15_000;

/** What a running node says of its own database. */
export const ownFindings = z.array(
  z.strictObject({
    check: z.string(),
    level: z.enum(['ok', 'warn', 'fail']),
    text: z.string(),
    remedy: z.string().exactOptional(),
  }),
);

/** Each thing that was looked at, in the order in which a person would mend them. */
export async function examineNode(options: DoctorOptions): Promise<Finding[]> {
  const { configFile, overrides, passphrase, env, clock, room } = options;
  let config: NodeConfig;
  try {
    config = await readNodeConfig(configFile, overrides);
  } catch (error) {
    return [failed('node.yaml', error)];
  }
  const findings: Finding[] = [ok('node.yaml', `of ${config.party}`)];
  findings.push(...(await keyFindings(config, passphrase)));
  findings.push(await charterFindingOf(config));
  let membership: Membership | undefined;
  try {
    membership = await readMembership(config, passphrase);
    findings.push(ok('membership', `keys and node.yaml are those of ${config.party} in the charter`));
  } catch (error) {
    findings.push(failed('membership', error));
  }

  findings.push(
    privacyFinding('state folder', config.state),
    diskFinding(config.state, 'a node that cannot write releases nothing', room),
  );
  const { isRunning, findings: state } = await stateFindings(config, membership?.charter, clock);
  findings.push(...state);

  try {
    const via = await outboundOf(config, env);
    for (const coordinator of config.coordinators) {
      const among = { config, coordinator, membership, clock, isRunning, via };
      const found = await coordinatorFindings(among);
      const isOne = config.coordinators.length === 1;
      findings.push(...(isOne ? found : found.map((one) => ({ ...one, check: `${one.check} at ${coordinator}` }))));
    }
  } catch (error) {
    findings.push(failed('ca and proxy', error));
  }

  if (membership !== undefined) {
    for (const [name, binding] of Object.entries(config.datasets)) {
      const dataset = membership.charter.datasets[name]!;
      findings.push(...(await sourceFindings(dataset, binding, { folder: config.folder, env })));
    }
  }
  return findings;
}

interface AtCoordinator {
  readonly config: NodeConfig;
  readonly coordinator: string;
  /** Undefined where the charter or the keys were no good. */
  readonly membership: Membership | undefined;
  readonly clock: Clock;
  /** The node is logged in by itself. */
  readonly isRunning: boolean;
  readonly via: Outbound;
}

async function coordinatorFindings({ config, coordinator, membership, clock, isRunning, via }: AtCoordinator) {
  const findings: Finding[] = [await looked('certificate', () => certificateFinding(coordinator, clock, via))];
  let reached: Reached;
  try {
    reached = await reach(coordinator, clock, { via });
  } catch (error) {
    return [...findings, failed('coordinator', error)];
  }
  findings.push(coordinatorFinding(reached), clockFinding(reached.aheadMs));
  if (membership !== undefined) findings.push(charterFinding(membership.charterHash, reached));
  findings.push(versionsFinding(version(), reached));
  if (membership !== undefined && !isRunning) {
    findings.push(await loginFinding({ config, coordinator, membership, clock, via }));
  }
  return findings;
}

async function keyFindings({ keys }: NodeConfig, passphrase: string | undefined): Promise<Finding[]> {
  const secret = await looked('secret keys', async () => {
    const isWrapped = await needsPassphrase(keys);
    if (!isWrapped) {
      const remedy = 'make new keys with `folkmoot keygen --passphrase-file`, and have the charter list them';
      return warn('secret keys', 'mode 0600 and no passphrase: 0600 alone protects nothing offline', remedy);
    }
    if (passphrase !== undefined) return ok('secret keys', 'mode 0600, and wrapped by a passphrase');
    const remedy = 'give --passphrase-file, or FOLKMOOT_PASSPHRASE_FILE';
    return warn('secret keys', 'wrapped by a passphrase, which was not given: they cannot be looked at', remedy);
  });
  return [privacyFinding('key folder', keys), secret];
}

function charterFindingOf({ charter: file }: NodeConfig): Promise<Finding> {
  return looked('charter', async () => {
    const charter = parseCharter(await readText(file, 'charter'), file);
    checkSealed(charter);
    const parties = partiesOf(charter).length;
    const words = `version ${charter.version}, signed by all ${parties} parties; compare by telephone:`;
    return ok('charter', `${words} ${fingerprint(charter)} (${charterHash(charter).slice(0, 12)}…)`);
  });
}

/** The database itself where no node runs; what the node says of it where one does. */
async function stateFindings(
  config: NodeConfig,
  charter: Charter | undefined,
  clock: Clock,
): Promise<{ isRunning: boolean; findings: Finding[] }> {
  const file = databaseFile(config.state);
  if (!existsSync(file))
    return { isRunning: false, findings: [ok('database', 'there is none before the first start')] };
  let db: Database.Database | undefined;
  try {
    db = new Database(file, { readonly: true, fileMustExist: true, timeout: 0 });
    const found = db.pragma('user_version', { simple: true }) as number;
    if (found > databaseVersion) throw new StateError('STATE_NEWER');
    if (found < databaseVersion) {
      return {
        isRunning: false,
        findings: [ok('database', 'of an older version; the next start brings it up to date')],
      };
    }
    const findings = integrityFindings(db, config.datasets, new Periods(db), false);
    if (charter !== undefined) {
      const store = new Store(db, () => clock.now());
      findings.push(await auditFinding(store, config.party, charter, clock.now()));
    }
    return { isRunning: false, findings };
  } catch (error) {
    const typed = stateError(error);
    if (typed.code !== 'STATE_IN_USE') return { isRunning: false, findings: [brokenFinding(typed)] };
    return { isRunning: true, findings: await askNode(config) };
  } finally {
    db?.close();
  }
}

function brokenFinding(error: { code: string; message: string; remedy: string }): Finding {
  const isDamaged = /SQLITE_(NOTADB|CORRUPT)/.test(error.message);
  const remedy = isDamaged ? 'restore the state folder from its last good copy' : error.remedy;
  return fail('database', `${error.message} [${error.code}]`, remedy);
}

async function askNode(config: NodeConfig): Promise<Finding[]> {
  try {
    const given = ownFindings.parse(await askOwner(config.state, 'GET', '/v1/diagnosis'));
    return [ok('node', 'it runs; what follows is its own word'), ...(given as Finding[])];
  } catch (error) {
    if (isFolkmootError(error)) return [failed('node', error)];
    return [fail('node', 'it runs, and gives no diagnosis', 'let node and doctor be of one version')];
  }
}

function coordinatorFinding(reached: Reached): Finding {
  if (reached.status === 'ok') return ok('coordinator', `answers, and is well (version ${reached.version})`);
  return warn('coordinator', `answers, and ${failingText(reached)}`, 'ask its operator to look at its /health');
}

/** The whole login, as the node does it, and nothing after it: the party does not count as present by that. */
async function loginFinding({
  config,
  coordinator,
  membership,
  clock,
  via,
}: Omit<AtCoordinator, 'isRunning'> & { membership: Membership }): Promise<Finding> {
  return looked('login', async () => {
    const link = await connect(nodeUrl(coordinator), clock, via);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const cancel = clock.after(loginMs, () => reject(new TransportError('UNREACHABLE', { detail: 'no word in time' })));
    link.onClose((reason) => reject(reason ?? new TransportError('LINK_LOST')));
    new Connection(link, {
      party: config.party,
      membership,
      build: version(),
      instance: toHex(randomBytes(16)),
      sign: signer(membership.keys.secret.identity),
      clock,
      isProbe: true,
      onWelcome: () => resolve(),
      onMessage: () => {},
      onSession: () => {},
    });
    try {
      await promise;
      return ok('login', `the coordinator lets ${config.party} in`);
    } finally {
      cancel();
      link.close();
    }
  });
}
