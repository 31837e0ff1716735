/**
 * How a coordinator is reached, looked at from outside: over HTTP, its clock, and its certificate.
 * @module
 */
import { request } from 'node:https';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { TransportError } from '@folkmoot/core/errors.js';
import { z } from 'zod';
import type { Clock } from './clock.ts';
import { type Finding, fail, ok, warn } from './finding.ts';
import { requireSecure } from './link.ts';
import { dialFault, type Outbound } from './outbound.ts';

/** A coordinator that takes longer is as good as away; one whose database is away knows it after 10 s. */
const answerMs = 15_000;
/** Jobs are granted 120 s between clocks; a quarter of it is a clock that nobody sets. */
const skewMsWarn = 30_000;
const skewMsMax = 120_000;
const dayMs = 86_400_000;
/** Long enough for an office to renew a certificate. */
const daysWarn = 21;

/** A name or a code, as it may end on a terminal. */
const word = z.string().regex(/^[\w -]{1,40}$/);
const healthForm = z.looseObject({
  status: z.string(),
  version: z.string(),
  time: z.iso.datetime(),
  checks: z.array(z.looseObject({ check: word, ok: z.boolean(), code: word.exactOptional() })).default([]),
});
/** What a coordinator says instead, where it cannot tell. */
const reportForm = z.looseObject({ error: z.looseObject({ code: z.string().regex(/^[A-Z_]{1,40}$/) }) });
const aboutForm = z.looseObject({
  version: z.string(),
  charter: z.looseObject({ hash: z.string(), fingerprint: z.string() }),
  connected: z.array(z.string()),
  builds: z.record(z.string(), z.string()).default({}),
});

/** What a coordinator says of itself. */
export interface Reached {
  readonly version: string;
  readonly charterHash: string;
  readonly fingerprint: string;
  readonly status: string;
  /** Its own checks that fail, with their codes: `database STATE_FAILED`. */
  readonly failing: readonly string[];
  /** By party, of those that are connected. */
  readonly builds: Readonly<Record<string, string>>;
  /** How far its clock is ahead of ours. */
  readonly aheadMs: number;
}

export interface Way {
  readonly via?: Outbound | undefined;
  /** The address is of this machine, whatever its number: nothing leaves it. */
  readonly isOwn?: boolean;
}

/** The same address for HTTP. @throws TransportError INSECURE_URL, UNREACHABLE */
function httpUrl(coordinator: string, path: string, isOwn = false): URL {
  const url = isOwn ? new URL(coordinator) : requireSecure(coordinator);
  url.protocol = url.protocol === 'wss:' || url.protocol === 'https:' ? 'https:' : 'http:';
  url.pathname = `${url.pathname.replace(/\/$/, '')}${path}`;
  return url;
}

/** @throws TransportError UNREACHABLE, UNTRUSTED, PROXY_REFUSED, INSECURE_URL */
export async function reach(coordinator: string, clock: Clock, { via, isOwn }: Way = {}): Promise<Reached> {
  const beforeMs = clock.now();
  const health = await ask(httpUrl(coordinator, '/health', isOwn), healthForm, via);
  const afterMs = clock.now();
  const about = await ask(httpUrl(coordinator, '/v1/health', isOwn), aboutForm, via);
  return {
    version: about.version,
    charterHash: about.charter.hash,
    fingerprint: about.charter.fingerprint,
    status: health.status,
    failing: health.checks
      .filter(({ ok: isWell }) => !isWell)
      .map(({ check, code }) => `${check} ${code ?? ''}`.trim()),
    builds: about.builds,
    aheadMs: Date.parse(health.time) - (beforeMs + afterMs) / 2,
  };
}

/** A body is read whatever the status: 503 says what is wrong. */
async function ask<T>(url: URL, form: z.ZodType<T>, via: Outbound | undefined): Promise<T> {
  try {
    const response = await (via?.fetch ?? fetch)(url, { signal: AbortSignal.timeout(answerMs), redirect: 'error' });
    const body: unknown = await response.json();
    const said = reportForm.safeParse(body);
    if (said.success) {
      const detail = `the coordinator answers with status ${response.status} and ${said.data.error.code}`;
      throw new TransportError('UNREACHABLE', { field: url.origin, detail, remedy: 'look at its /health and its log' });
    }
    return form.parse(body);
  } catch (cause) {
    if (cause instanceof TransportError && cause.code === 'UNREACHABLE' && cause.field !== undefined) throw cause;
    const fault = dialFault(cause, url.origin);
    if (fault.code !== 'UNREACHABLE') throw fault;
    throw new TransportError('UNREACHABLE', { field: url.origin, detail: reasonOf(cause), cause });
  }
}

function reasonOf(cause: unknown): string | undefined {
  if (cause instanceof DOMException && cause.name === 'TimeoutError') return 'no answer in time';
  const inner = (cause as { cause?: { code?: unknown } }).cause?.code;
  if (typeof inner === 'string') return inner;
  return cause instanceof z.ZodError || cause instanceof SyntaxError
    ? 'what answers there is no coordinator'
    : undefined;
}

/** Of a coordinator that answers and is not well. */
export function failingText({ status, failing }: Reached): string {
  return `says it is ${status}${failing.length === 0 ? '' : ` (${failing.join(', ')})`}`;
}

export function clockFinding(aheadMs: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1_000);
  const text = `this clock is ${seconds} s ${aheadMs > 0 ? 'behind' : 'ahead of'} the coordinator’s`;
  const remedy = 'set both clocks by NTP: beyond 120 s jobs are refused as expired or not yet valid';
  if (Math.abs(aheadMs) > skewMsMax) return fail('clock', text, remedy);
  if (Math.abs(aheadMs) > skewMsWarn) return warn('clock', text, remedy);
  return ok('clock', seconds === 0 ? 'agrees with the coordinator’s' : text);
}

export function charterFinding(own: string, { charterHash, fingerprint }: Reached): Finding {
  if (own === charterHash) return ok('coordinator charter', 'the same charter as here');
  const remedy = 'compare fingerprints, and install the same charter on both sides';
  return fail('coordinator charter', `the coordinator runs another charter: ${fingerprint}`, remedy);
}

export function versionsFinding(own: string, { version, builds }: Reached): Finding {
  const others = Object.entries({ ...builds, 'the coordinator': version }).filter(([, build]) => build !== own);
  if (others.length === 0) {
    const parties = Object.keys(builds).length;
    return ok(
      'versions',
      `${own} here, at the coordinator and at ${parties} connected ${parties === 1 ? 'node' : 'nodes'}`,
    );
  }
  const text = `${own} here; ${others.map(([who, build]) => `${build} at ${who}`).join(', ')}`;
  return warn('versions', text, 'agree on an hour, and install one version everywhere');
}

/** The chain as this process trusts it, and how long it holds. */
export async function certificateFinding(coordinator: string, clock: Clock, via?: Outbound): Promise<Finding> {
  const url = httpUrl(coordinator, '/');
  if (url.protocol === 'http:') return ok('certificate', 'none is needed: the coordinator is on this machine');
  const { certificate, fault } = await certificateOf(url, via);
  const days = Math.floor((Date.parse(certificate.valid_to) - clock.now()) / dayMs);
  const until = new Date(certificate.valid_to).toISOString().slice(0, 10);
  if (days < 0) return fail('certificate', `it ended on ${until}`, 'have the coordinator’s operator renew it');
  if (fault !== undefined) {
    const remedy = 'name the certificate of its private authority with `ca:`, or check who answers there';
    return fail('certificate', `it is not trusted here (${fault})`, remedy);
  }
  const text = `trusted, and holds for ${days} more days, until ${until}`;
  return days < daysWarn
    ? warn('certificate', text, 'have the coordinator’s operator renew it')
    : ok('certificate', text);
}

/** A chain that is not trusted is looked at as well: nothing but a question for headers goes over this connection. */
function certificateOf(
  url: URL,
  via: Outbound | undefined,
): Promise<{ certificate: PeerCertificate; fault: string | undefined }> {
  return new Promise((resolve, reject) => {
    const options = { method: 'HEAD', rejectUnauthorized: false, timeout: answerMs, ...(via && { agent: via.agent }) };
    const asked = request(url, options, (reply) => {
      const socket = reply.socket as TLSSocket;
      const certificate = socket.getPeerCertificate();
      const error: unknown = socket.authorizationError;
      socket.destroy();
      resolve({ certificate, fault: error === null || error === undefined ? undefined : codeOf(error) });
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer in time')));
    asked.on('error', (cause) => {
      const fault = dialFault(cause, url.origin);
      const away = new TransportError('UNREACHABLE', { field: url.origin, detail: 'no TLS there', cause });
      reject(fault.code === 'UNREACHABLE' ? away : fault);
    });
    asked.end();
  });
}

function codeOf(error: unknown): string {
  if (typeof error === 'string') return error;
  return (error as NodeJS.ErrnoException).code ?? 'unknown';
}
