/**
 * The coordinator's process: its settings, its database, one port for the nodes' links (/node), the API and the page.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Charter, charterHash, checkSealed, parseCharter, partiesOf } from '@folkmoot/core/charter.js';
import { CharterError, InputError } from '@folkmoot/core/errors.js';
import { type Clock, systemClock } from '@folkmoot/transport/clock.js';
import { createHealth } from '@folkmoot/transport/health.js';
import { listen } from '@folkmoot/transport/listener.js';
import { freeBytes } from '@folkmoot/transport/premises.js';
import { Relay } from '@folkmoot/transport/relay.js';
import { getRequestListener } from '@hono/node-server';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { createApi } from './api.ts';
import { type ConfigOverrides, type CoordinatorConfig, readConfig, readText } from './config.ts';
import { Coordinator } from './coordinator.ts';
import { noTraffic } from './counted-link.ts';
import { limits } from './limits.ts';
import { Login } from './login.ts';
import { createMetrics } from './metrics.ts';
import { admit } from './node-gate.ts';
import { openPostgres } from './postgres-database.ts';
import type { OpenDatabase } from './schema.ts';
import { openSqlite } from './sqlite-database.ts';
import { Store } from './store.ts';

/** The version that this build announces. */
export const version = '0.1.0';
const tickMs = 1_000;

export interface StartOptions {
  readonly configFile: string;
  readonly overrides?: ConfigOverrides;
  readonly log: Logger;
  readonly clock?: Clock;
  /** Where the address of a PostgreSQL is found; the process's own environment unless given. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface RunningCoordinator {
  /** Where nodes and analysts find it: `ws://127.0.0.1:7700`. */
  readonly url: string;
  /** Ends all links and closes the database; what was running goes on after the next start, or at another coordinator. */
  stop(): Promise<void>;
}

/**
 * Starts a coordinator by its `coordinator.yaml`.
 * @throws InputError, CharterError for its files; StateError for its database; TransportError INSECURE_URL
 */
export async function startCoordinator(options: StartOptions): Promise<RunningCoordinator> {
  const config = readConfig(options.configFile, options.overrides);
  const charter = parseCharter(readText(config.charter, 'charter'), 'charter');
  checkSealed(charter);
  const store = new Store(await openDatabase(config, options));
  try {
    return await serve(config, charter, store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openDatabase(
  { state }: CoordinatorConfig,
  { env = process.env, log, clock = systemClock }: StartOptions,
): Promise<OpenDatabase> {
  if ('folder' in state) return openSqlite(state.folder, () => clock.now());
  const url = env[state.urlEnv];
  if (url === undefined) {
    const field = 'state.postgres.url_env';
    throw new InputError('BAD_VALUE', { field, detail: `${state.urlEnv} is not set in the environment` });
  }
  return openPostgres(url, (code) => log.warn({ event: 'database-lost', code }, 'a connection to the database broke'));
}

async function serve(
  config: CoordinatorConfig,
  charter: Charter,
  store: Store,
  { log: processLog, clock = systemClock }: StartOptions,
): Promise<RunningCoordinator> {
  const log = processLog.child({ role: 'coordinator' });
  const relay = new Relay(partiesOf(charter));
  const registry = new Registry();
  const traffic = noTraffic();
  let coordinator: Coordinator | undefined;
  const metrics = createMetrics(registry, {
    charter,
    version,
    traffic,
    coordinator: () => coordinator,
    // Of a database elsewhere its own server knows.
    freeBytes: () => ('folder' in config.state ? freeBytes(config.state.folder) : undefined),
  });
  coordinator = await Coordinator.open({ charter, store, clock, log, relay, metrics });
  const opened = coordinator;
  const { epoch } = opened;
  const health = createHealth({
    version,
    clock,
    checks: { database: () => opened.probe(), charter: () => checkUnchanged(config, charter) },
  });
  const login = new Login({
    charter,
    now: () => clock.now(),
    randomBytes,
    tokens: store.tokens,
    nonceKey: await store.tokens.nonceKey(),
  });
  const app = createApi({ charter, coordinator, login, clock, log, version, health, registry, metrics });
  const server = createServer(
    { requestTimeout: limits.requestMs, headersTimeout: limits.headersMs, connectionsCheckingInterval: 5_000 },
    getRequestListener(app.fetch, { overrideGlobalObjects: false }),
  );
  server.maxConnections = limits.httpConnectionsMax;
  server.timeout = limits.idleMs;
  const inFlight = { bytes: 0 };
  const gate = { charter, coordinator, login, relay, clock, log, epoch, inFlight, traffic, metrics };
  const nodes = listen(server, { path: '/node', clock, onLink: (link) => admit(link, gate) });
  const port = await listening(server, config);
  // Such as too many open files: those that are open go on.
  server.on('error', (error) => log.error({ event: 'server-error', name: error.name }, 'server error'));
  const stopTicking = every(clock, tickMs, () => opened.tick());
  const url = `ws://${config.host}:${port}`;
  log.info(
    { event: 'coordinator-started', url, epoch, charter: charter.charter, build: version },
    'coordinator listens',
  );
  return {
    url,
    async stop() {
      health.stopping();
      stopTicking();
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await opened.stop();
      nodes.close();
      server.closeAllConnections();
      await closed;
      log.info({ event: 'coordinator-stopped' }, 'coordinator stopped');
    },
  };
}

/** @throws CharterError CHARTER_MISMATCH where the file is another one than this process runs: it is taken up by a restart */
function checkUnchanged(config: CoordinatorConfig, charter: Charter): void {
  const onDisk = parseCharter(readText(config.charter, 'charter'), 'charter');
  checkSealed(onDisk);
  if (charterHash(onDisk) !== charterHash(charter)) {
    throw new CharterError('CHARTER_MISMATCH', { field: 'charter', remedy: 'start the coordinator again' });
  }
}

function listening(server: Server, { host, port }: CoordinatorConfig): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const detail = `${host}:${port} cannot be listened on`;
      reject(new InputError('BAD_VALUE', { field: 'listen', detail, remedy: 'choose a free address', cause }));
    });
    const taken = () => resolve((server.address() as AddressInfo).port);
    server.listen({ port, host: host.replace(/^\[|\]$/g, ''), backlog: limits.backlog }, taken);
  });
}

function every(clock: Clock, ms: number, action: () => void): () => void {
  let cancel = () => {};
  const again = () => {
    cancel = clock.after(ms, () => {
      action();
      again();
    });
  };
  again();
  return () => cancel();
}
