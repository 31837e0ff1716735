/**
 * A party's node: it dials out to the coordinator. It listens on loopback to its owner and, where node.yaml asks for it, to a
 * supervisor; to that one beyond loopback only where `metrics` says that a proxy before it speaks TLS.
 *
 * What it may do is in its node.yaml and the sealed charter; what it does about a job is in jobs.ts. When the link is
 * lost it connects again, with growing, random pauses, and says again what the coordinator may have missed. Where several
 * coordinators share the work it keeps a link to each.
 * @module
 */
import { randomBytes as systemRandomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { toHex } from '@folkmoot/core/bytes.js';
import { charterHash, checkSealed, parseCharter } from '@folkmoot/core/charter.js';
import {
  CharterError,
  type FolkmootError,
  InputError,
  isFolkmootError,
  reportOf,
  TransportError,
} from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import { policyHash } from '@folkmoot/core/policy.js';
import { type Clock, systemClock } from '@folkmoot/transport/clock.js';
import { type Finding, fail, ok, warn } from '@folkmoot/transport/finding.js';
import { createHealth } from '@folkmoot/transport/health.js';
import { connect, type FrameLink } from '@folkmoot/transport/link.js';
import { freeBytes } from '@folkmoot/transport/premises.js';
import { keepConnected } from '@folkmoot/transport/reconnect.js';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { approvalRoutes } from './approval-routes.ts';
import { auditDuty } from './audit-duty.ts';
import { auditFinding } from './audit-finding.ts';
import {
  type Membership,
  type NodeConfig,
  type Overrides,
  outboundOf,
  readMembership,
  readNodeConfig,
} from './config.ts';
import { Connection } from './connection.ts';
import { Jobs } from './jobs.ts';
import { step } from './lifecycle.ts';
import { createMetrics } from './metrics.ts';
import { ownRecords } from './own-records.ts';
import { auditRoutes } from './owner-audit.ts';
import { type OwnerChannel, type OwnerRoute, openOwnerChannel } from './owner-channel.ts';
import { reportRoutes } from './report-routes.ts';
import { openStore, type Store } from './store.ts';
import { openWatchPort, type WatchPort } from './watch-port.ts';

export interface StartOptions {
  readonly configFile: string;
  readonly overrides?: Overrides;
  readonly log: Logger;
  /** Unwraps the keys, where their owner set one. */
  readonly passphrase?: string;
  /** Where sources find their addresses, and HTTPS_PROXY and NO_PROXY stand; the process's own environment unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly clock?: Clock;
  readonly randomBytes?: (n: number) => Uint8Array;
}

export interface RunningNode {
  readonly party: string;
  /** Where /metrics and /health are, if node.yaml asks for them. */
  readonly metricsUrl?: string;
  /** Ends the link, the computations and the store; what was under way is renounced as INTERRUPTED at the next start. */
  stop(): Promise<void>;
}

/**
 * Starts a node by its `node.yaml`, and goes on connecting until it is stopped.
 * @throws InputError, CharterError for its files; StateError for its store; TransportError INSECURE_URL
 */
export async function startNode(options: StartOptions): Promise<RunningNode> {
  const config = await readNodeConfig(options.configFile, options.overrides);
  const membership = await readMembership(config, options.passphrase);
  const { clock = systemClock, env = process.env, randomBytes = systemRandomBytes } = options;
  const via = await outboundOf(config, env);
  const { party } = config;
  const log = options.log.child({ party });
  const build = version();
  const instance = toHex(randomBytes(16));
  const sign = signer(membership.keys.secret.identity);
  const store = openStore(config.state, () => clock.now());
  const periods = takeUp(config, membership, build, store);
  const records = ownRecords({ config, membership, store, env });
  const registry = new Registry();
  const metrics = createMetrics(registry, {
    party,
    version: build,
    charterHash: membership.charterHash,
    counts: () => store.counts(),
    freeBytes: () => freeBytes(config.state),
  });
  const jobs = new Jobs({
    ...{ config, membership, build, sign, store, periods, records, step, clock, log, metrics },
    audit: auditDuty(
      store,
      { party, sign, charter: membership.charter, charterHash: membership.charterHash },
      { clock, log },
    ),
  });
  const up = new Map<Connection, string>();
  /** Why there is no link, by coordinator. */
  const losses = new Map<string, FolkmootError>();
  const health = createHealth({
    version: build,
    clock,
    checks: {
      database: () => store.probe(),
      charter: () => checkUnchanged(config, membership),
      audit: () => store.heads.checkWhole(party),
      link: () => {
        // A second process with these keys is for a person, whatever else is well.
        const isTwin = [...losses.values()].some(({ code }) => code === 'IDENTITY_IN_USE');
        if (up.size === 0 || isTwin) throw telling([...losses.values()]);
      },
    },
  });

  const onLink = (link: FrameLink, coordinator: string) => {
    const connection: Connection = new Connection(link, {
      party,
      membership,
      build,
      instance,
      sign,
      clock,
      onWelcome: (epoch) => {
        log.info({ event: 'connected', coordinator, epoch }, 'connected to the coordinator');
        up.set(connection, coordinator);
        losses.delete(coordinator);
        metrics.linkUp(true);
        jobs.linked(connection);
      },
      onMessage: (message) => jobs.hear(message, connection),
      onSession: (frame, bytes) => jobs.deliver(frame.session, bytes),
    });
    link.onClose(() => {
      up.delete(connection);
      metrics.linkUp(up.size > 0);
      jobs.unlinked(connection);
    });
  };
  const dialling: { stop(): void }[] = [];
  let channel: OwnerChannel | undefined;
  const diagnosis = async () => [
    ...linkFindings(config.coordinators, new Set(up.values()), losses),
    ...store.integrity(config.datasets),
    await auditFinding(store, party, membership.charter, clock.now()),
  ];
  const deciding = () => ({ store, config, charter: membership.charter, nowMs: clock.now() });
  const routes: readonly OwnerRoute[] = [
    ...approvalRoutes(deciding, (job) => jobs.takeDecisions(job)),
    ...reportRoutes(config, store, periods),
    ...auditRoutes(store, party, membership.charter, () => clock.now()),
    { method: 'GET', path: '/v1/node', handle: () => ({ party, build, charter: membership.charterHash }) },
    { method: 'GET', path: '/v1/diagnosis', handle: diagnosis },
  ];
  let port: WatchPort | undefined;
  try {
    if (config.metrics !== undefined) port = await openWatchPort(config.metrics, health, registry);
    jobs.start();
    const { state, owner } = config;
    channel = await openOwnerChannel({ state, ...owner, routes, randomBytes, log });
    for (const coordinator of config.coordinators) {
      const kept = keepConnected({
        url: nodeUrl(coordinator),
        clock,
        randomBytes,
        open: (url) => connect(url, clock, via),
        onLink: (link) => onLink(link, coordinator),
        onLost: (reason, pauseMs) => {
          const { code, message } = reportOf(reason);
          if (isFolkmootError(reason)) losses.set(coordinator, reason);
          metrics.linkLost(reason === undefined ? 'CLOSED' : code);
          log.warn({ event: 'link-lost', coordinator, code, message, pauseMs }, 'no link to the coordinator');
        },
      });
      dialling.push(kept);
    }
  } catch (error) {
    for (const one of dialling) one.stop();
    await channel?.close();
    await jobs.stop();
    await port?.close();
    store.close();
    throw error;
  }
  log.info({ event: 'node-started', charter: membership.charterHash, build }, 'node started');

  let stopping: Promise<void> | undefined;
  const stop = async () => {
    health.stopping();
    const stopped = jobs.stop();
    for (const one of dialling) one.stop();
    await Promise.all([stopped, channel.close(), port?.close()]);
    store.close();
    log.info({ event: 'node-stopped' }, 'node stopped');
  };
  return {
    party,
    ...(port === undefined ? {} : { metricsUrl: port.url }),
    stop() {
      stopping ??= stop();
      return stopping;
    },
  };
}

/**
 * Enters in the audit log what runs from here on, and gives the period that each dataset is in, after node.yaml. A node that
 * cannot tell does not start.
 */
function takeUp(
  { datasets, policy, sha256 }: NodeConfig,
  { charter, charterHash }: Membership,
  build: string,
  store: Store,
): ReadonlyMap<string, string> {
  const running = { charter: charterHash, version: charter.version, policy: policyHash(policy), file: sha256, build };
  try {
    store.audited((log, nowMs) => log.enterStart(running, nowMs));
    return new Map(Object.entries(datasets).map(([name, { period }]) => [name, store.periodFromFile(name, period)]));
  } catch (error) {
    store.close();
    throw error;
  }
}

/** @throws CharterError where the file is another one than this process runs: it is taken up by a restart */
function checkUnchanged({ charter: file }: NodeConfig, membership: Membership): void {
  const onDisk = parseCharter(readText(file), file);
  checkSealed(onDisk);
  if (charterHash(onDisk) !== membership.charterHash) {
    throw new CharterError('CHARTER_MISMATCH', { field: 'charter', remedy: 'start the node again' });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new InputError('FILE_UNREADABLE', { field: 'charter', detail: file, cause });
  }
}

/** Of several losses the one that a person has to act upon. */
function telling(losses: readonly FolkmootError[]): FolkmootError {
  return losses.find(({ code }) => code === 'IDENTITY_IN_USE') ?? losses[0] ?? new TransportError('LINK_LOST');
}

/** What this process alone can tell a doctor of its links: one line a coordinator. One of several that is down is no failure. */
function linkFindings(
  coordinators: readonly string[],
  up: ReadonlySet<string>,
  losses: ReadonlyMap<string, FolkmootError>,
): Finding[] {
  return coordinators.map((coordinator) => {
    if (up.has(coordinator)) return ok('link', `logged in at ${coordinator}`);
    const { code, remedy } = losses.get(coordinator) ?? new TransportError('LINK_LOST');
    const text = `the one to ${coordinator} is down [${code}]`;
    if (code === 'IDENTITY_IN_USE') return fail('link', text, remedy);
    const seeLog = 'see the node’s log: the last `link-lost` names the code';
    if (up.size === 0) return fail('link', text, seeLog);
    return warn('link', text, `${seeLog}; jobs go on over the others`);
  });
}

/** The coordinator's path for nodes. */
export function nodeUrl(coordinator: string): string {
  const url = new URL(coordinator);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/node`;
  return url.href;
}

/** The version of this build. */
export function version(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
