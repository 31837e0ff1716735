/**
 * The owner's channel of a running node: HTTP on loopback, for whoever may read the node's state folder.
 *
 * While a node runs nobody else can open its database, so what its owner asks goes through the node. Address and token
 * stand in `state/owner.json` (mode 0600), written when the channel opens and removed when it closes; each start has a new
 * token. What can be asked is a list of routes, plain values that other files declare.
 *
 * Security  the token is the right to read that file; it proves no identity, so what needs a person is signed by that
 *           person's key (approval.ts in core). A page in a browser cannot ask: it has no token, and a `Host` that is not
 *           this very address is refused, so a name that was made to point here (DNS rebinding) does not help it
 * @module
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { toHex } from '@folkmoot/core/bytes.js';
import {
  type ErrorCode,
  type ErrorReport,
  errorTable,
  InputError,
  isFolkmootError,
  reportOf,
  StateError,
} from '@folkmoot/core/errors.js';
import type { Logger } from 'pino';

/** A signed decision with its reason is below 8 KiB. */
const bodyBytesMax = 64 * 1024;
/** The other end is on this machine: what is not here by then is not coming. */
const requestMs = 10_000;
const headersMs = 5_000;
/** The owner's own programs: a page and a few commands. */
const connectionsMax = 32;

const tokenBytes = 32;

interface OwnerRequest {
  /** What stands in the path where the route has `:name`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The JSON of the body, unchecked; undefined where there is none. */
  readonly body: unknown;
}

/** One thing that the owner can ask; `handle` gives a value of JSON, or throws a typed error. */
export interface OwnerRoute {
  readonly method: 'GET' | 'POST';
  /** `/v1/jobs/:job/approval`: a part that begins with a colon stands for any one part. */
  readonly path: string;
  handle(request: OwnerRequest): unknown;
}

export interface OwnerChannel {
  /** `http://127.0.0.1:49152` */
  readonly url: string;
  close(): Promise<void>;
}

export interface OwnerChannelOptions {
  /** The node's state folder. */
  readonly state: string;
  /** Where it listens; port 0 lets the system choose. */
  readonly host: string;
  readonly port: number;
  readonly routes: readonly OwnerRoute[];
  readonly randomBytes: (n: number) => Uint8Array;
  readonly log: Logger;
}

export const ownerFile = (state: string): string => join(state, 'owner.json');

/** @throws InputError BAD_VALUE where the address cannot be listened on; StateError STATE_FAILED */
export async function openOwnerChannel({
  state,
  host,
  port,
  routes,
  randomBytes,
  log,
}: OwnerChannelOptions): Promise<OwnerChannel> {
  const token = toHex(randomBytes(tokenBytes));
  const hosts = new Set<string>();
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: headersMs, connectionsCheckingInterval: 1_000 },
    (request, response) => {
      answer(request, { hosts, token, routes }).then(
        (value) => respond(response, 200, value),
        (error: unknown) => {
          if (!isFolkmootError(error))
            log.error({ event: 'owner-request-failed', name: nameOf(error) }, 'request failed');
          respond(response, statusOf(error), { error: reportOf(error) });
        },
      );
    },
  );
  server.maxConnections = connectionsMax;
  const bound = await listening(server, host, port);
  for (const name of ['127.0.0.1', 'localhost', '[::1]']) hosts.add(`${name}:${bound}`);
  const url = `http://${host}:${bound}`;
  try {
    keepAccess(state, { url, token });
  } catch (cause) {
    server.close();
    throw new StateError('STATE_FAILED', { field: ownerFile(state), cause });
  }
  log.info({ event: 'owner-channel', url }, 'the owner’s channel is open');
  return {
    url,
    async close() {
      rmSync(ownerFile(state), { force: true });
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Beside it first, so that nobody reads half of it, and never through a link that stands there. */
function keepAccess(state: string, access: { readonly url: string; readonly token: string }): void {
  const beside = `${ownerFile(state)}.new`;
  rmSync(beside, { force: true });
  writeFileSync(beside, `${JSON.stringify(access)}\n`, { mode: 0o600, flag: 'wx' });
  renameSync(beside, ownerFile(state));
}

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const detail = `${host}:${port} cannot be listened on`;
      reject(
        new InputError('BAD_VALUE', { field: 'owner', detail, remedy: 'choose a free port, or leave it out', cause }),
      );
    });
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => resolve((server.address() as AddressInfo).port));
  });
}

interface Door {
  readonly hosts: ReadonlySet<string>;
  readonly token: string;
  readonly routes: readonly OwnerRoute[];
}

async function answer(request: IncomingMessage, { hosts, token, routes }: Door): Promise<unknown> {
  const { method = '', headers } = request;
  if (!hosts.has(headers.host ?? '')) {
    throw new StateError('UNAUTHORISED', { field: 'host', detail: 'the owner’s channel is asked by its own address' });
  }
  if (!isToken(headers.authorization, token)) {
    throw new StateError('UNAUTHORISED', {
      detail: 'the token is not that of the node which runs now',
      remedy: 'take the token from `owner.json` in the node’s state folder',
    });
  }
  const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://localhost');
  for (const route of routes) {
    const params = route.method === method ? paramsOf(route.path, pathname) : undefined;
    if (params !== undefined) return route.handle({ params, query, body: await readBody(request) });
  }
  throw new InputError('BAD_VALUE', { field: 'path', detail: 'there is no such resource' });
}

/** In a time that does not depend on where the two differ. */
function isToken(header: string | undefined, token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(hash(header ?? ''), hash(`Bearer ${token}`));
}

function paramsOf(path: string, pathname: string): Record<string, string> | undefined {
  const [wanted, given] = [path.split('/'), pathname.split('/')];
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    if (part.startsWith(':')) params[part.slice(1)] = given[index]!;
    else if (part !== given[index]) return undefined;
  }
  return params;
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > bodyBytesMax)
      throw new StateError('REQUEST_TOO_LARGE', { detail: `${bodyBytesMax} bytes are the limit` });
    parts.push(part);
  }
  if (length === 0) return undefined;
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) {
    throw new InputError('BAD_SYNTAX', { field: 'content-type', detail: 'expected application/json' });
  }
  try {
    return JSON.parse(Buffer.concat(parts).toString('utf8')) as unknown;
  } catch {
    throw new InputError('BAD_SYNTAX', { field: 'body' });
  }
}

const statuses: Partial<Record<ErrorCode, number>> = {
  BAD_SYNTAX: 400,
  UNAUTHORISED: 401,
  UNKNOWN_JOB: 404,
  REQUEST_TOO_LARGE: 413,
  STATE_FAILED: 503,
};

/** What is wrong with a request is 422, what does not fit the state of things 409, what is wrong with us 500. */
function statusOf(error: unknown): number {
  if (!isFolkmootError(error)) return 500;
  return statuses[error.code] ?? (error.code in errorTable.state || error.code in errorTable.policy ? 409 : 422);
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

function respond(response: ServerResponse, status: number, value: unknown | { readonly error: ErrorReport }): void {
  const body = Buffer.from(JSON.stringify(value ?? null), 'utf8');
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // What is left of a body that was not read to its end is of no use.
    ...(status === 200 ? {} : { Connection: 'close' }),
    ...(status === 401 ? { 'WWW-Authenticate': 'Bearer' } : {}),
  });
  response.end(body);
}
