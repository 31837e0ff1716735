/**
 * The coordinator's HTTP API for analysts; `openapi.ts` describes it to others.
 *
 * Everything under /v1/jobs and /v1/budget needs the token of a login, and shows an analyst their own jobs only: another's job and no
 * job look alike. Errors are `{ error: { code, message, remedy, field?, party? } }`. Bodies are bounded, and no body is
 * ever logged.
 * @module
 */
import { type Charter, charterHash, fingerprint } from '@folkmoot/core/charter.js';
import { conform } from '@folkmoot/core/document.js';
import { parseSignedJob } from '@folkmoot/core/envelope.js';
import { InputError, StateError } from '@folkmoot/core/errors.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { type Health, httpStatusOf } from '@folkmoot/transport/health.js';
import { Hono } from 'hono';
import { createMiddleware } from 'hono/factory';
import { routePath } from 'hono/route';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { z } from 'zod';
import { answerStream } from './answer-stream.ts';
import type { Coordinator } from './coordinator.ts';
import { eventStream } from './event-stream.ts';
import { answerTo } from './http-error.ts';
import { limits } from './limits.ts';
import type { Login } from './login.ts';
import type { CoordinatorMetrics } from './metrics.ts';
import { openApi } from './openapi.ts';
import { bodyText } from './request-body.ts';
import { statusPage } from './status-page.ts';

export interface ApiOptions {
  readonly charter: Charter;
  readonly coordinator: Coordinator;
  readonly login: Login;
  readonly clock: Clock;
  readonly log: Logger;
  readonly version: string;
  readonly health: Health;
  readonly registry: Registry;
  readonly metrics: CoordinatorMetrics;
}

type Env = { Variables: { analyst: string; body: string } };

const loginSchema = z.strictObject({
  analyst: z.string().min(1).max(128),
  nonce: z.string().regex(/^[0-9a-f]{64}$/, 'expected 32 bytes in hexadecimal digits'),
  signature: z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits'),
});
const idForm = /^[0-9a-f]{64}$/;

/** The routes, without a socket: `server.ts` puts them on one. */
export function createApi(options: ApiOptions): Hono<Env> {
  const { charter, coordinator, login, log, health, registry, metrics } = options;
  const app = new Hono<Env>();
  const followers = new Map<string, number>();

  app.onError((error, context) => {
    const { status, body, ours } = answerTo(error);
    if (!ours) log.error({ event: 'request-failed', path: context.req.routePath, name: error.name }, 'request failed');
    if (status === 401) context.header('WWW-Authenticate', 'Bearer');
    // What is left of the body is not read: the connection is of no further use.
    if (status === 413) context.header('Connection', 'close');
    if (status === 429) context.header('Retry-After', '60');
    return context.json(body, status);
  });
  app.notFound((context) => {
    const { body } = answerTo(new InputError('BAD_VALUE', { field: 'path', detail: 'there is no such resource' }));
    return context.json(body, 404);
  });
  app.use(async (context, next) => {
    context.header('X-Content-Type-Options', 'nosniff');
    context.header('Cache-Control', 'no-store');
    await next();
    metrics.answered(methodOf(context.req.method), routePath(context, -1), context.res.status);
  });

  app.get('/', async (context) => {
    context.header('Content-Security-Policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    const counts = await coordinator.counts();
    return context.html(statusPage(charter, coordinator.connected(), counts, options.version));
  });
  app.get('/v1/health', async (context) =>
    context.json({
      status: 'ok',
      version: options.version,
      charter: {
        name: charter.charter,
        version: charter.version,
        hash: charterHash(charter),
        fingerprint: fingerprint(charter),
      },
      connected: coordinator.connected(),
      builds: coordinator.builds(),
      // While the database is away nobody can tell; /health says that it is.
      jobs: await coordinator.counts().catch(() => ({})),
    }),
  );
  for (const path of ['/health', '/ready']) {
    app.get(path, async (context) => {
      const report = await health.look();
      return context.json(report, httpStatusOf(report));
    });
  }
  app.get('/metrics', async (context) =>
    context.text(await registry.metrics(), 200, { 'Content-Type': registry.contentType }),
  );
  app.get('/v1/openapi.json', (context) => context.json(openApi(options.version)));

  const limited = (bytesMax: number) =>
    createMiddleware<Env>(async (context, next) => {
      context.set('body', await bodyText(context.req.raw, bytesMax));
      await next();
    });
  app.post('/v1/login/nonce', limited(limits.loginBytesMax), (context) => {
    const { nonce, expiresMs } = login.offer();
    return context.json({ nonce, expires: new Date(expiresMs).toISOString() });
  });
  app.post('/v1/login', limited(limits.loginBytesMax), async (context) => {
    const body = conform(parseJson(context.get('body'), context.req.header('content-type')), loginSchema, {
      name: 'login',
    });
    const { token, expiresMs } = await login.enter(body.analyst, body.nonce, body.signature);
    return context.json({ token, expires: new Date(expiresMs).toISOString() });
  });

  app.use('/v1/jobs/*', async (context, next) => {
    context.set('analyst', await login.analystOf(context.req.header('authorization')));
    await next();
  });
  app.post('/v1/jobs', limited(limits.requestBytesMax), async (context) => {
    const signed = parseSignedJob(parseJson(context.get('body'), context.req.header('content-type')));
    const key = context.req.header('idempotency-key');
    const { created, ...answer } = await coordinator.submit(context.get('analyst'), signed, key);
    return context.json(answer, created ? 201 : 200);
  });
  app.get('/v1/jobs', async (context) => {
    const before = context.req.query('before');
    const beforeMs = before === undefined ? undefined : Date.parse(before);
    if (Number.isNaN(beforeMs)) throw new InputError('BAD_VALUE', { field: 'before', detail: 'expected an instant' });
    return context.json({ jobs: await coordinator.list(context.get('analyst'), beforeMs) });
  });
  app.get('/v1/jobs/:job', async (context) =>
    context.json(await coordinator.view(context.get('analyst'), idOf(context.req.param('job')))),
  );
  app.post('/v1/jobs/:job/cancel', limited(limits.loginBytesMax), async (context) =>
    context.json(await coordinator.cancel(context.get('analyst'), idOf(context.req.param('job')))),
  );
  app.use('/v1/budget', async (context, next) => {
    context.set('analyst', await login.analystOf(context.req.header('authorization')));
    await next();
  });
  app.post('/v1/budget', limited(limits.loginBytesMax), async (context) => {
    const request = parseJson(context.get('body'), context.req.header('content-type'));
    return context.json(await coordinator.budgets(context.get('analyst'), request));
  });
  app.get('/v1/jobs/:job/answer', async (context) => {
    const parts = await coordinator.answer(context.get('analyst'), idOf(context.req.param('job')));
    return context.body(answerStream(parts), 200, { 'Content-Type': 'application/json' });
  });
  app.get('/v1/jobs/:job/events', async (context) => {
    const analyst = context.get('analyst');
    const job = idOf(context.req.param('job'));
    await coordinator.view(analyst, job);
    const stream = eventStream({
      coordinator,
      clock: options.clock,
      analyst,
      job,
      after: sequenceOf(context.req.header('last-event-id')),
      onEnd: enter(followers, analyst),
    });
    return context.body(stream, 200, { 'Content-Type': 'text/event-stream' });
  });
  return app;
}

const methods: readonly string[] = ['GET', 'HEAD', 'POST', 'OPTIONS'];

/** A caller may write any word there; a series it is not. */
function methodOf(method: string): string {
  return methods.includes(method) ? method : 'OTHER';
}

/** @throws InputError BAD_SYNTAX, BAD_VALUE */
function parseJson(text: string, type: string | undefined): unknown {
  if (type?.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
    throw new InputError('BAD_VALUE', { field: 'content-type', detail: 'expected application/json' });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Without the cause: it quotes the body.
    throw new InputError('BAD_SYNTAX', { field: 'body' });
  }
  if (isDeeperThan(value, limits.depthMax))
    throw new InputError('BAD_SYNTAX', { field: 'body', detail: 'nested too deeply' });
  return value;
}

/** Level by level, since whoever descends by calls can be made to run out of stack. */
function isDeeperThan(value: unknown, depthMax: number): boolean {
  const isNested = (one: unknown) => typeof one === 'object' && one !== null;
  let level = [value].filter(isNested);
  for (let depth = 0; level.length > 0; depth++) {
    if (depth >= depthMax) return true;
    level = level.flatMap((one) => Object.values(one as object)).filter(isNested);
  }
  return false;
}

/** What has not the form of an id is no job's. */
function idOf(text: string): string {
  if (!idForm.test(text)) throw new StateError('UNKNOWN_JOB');
  return text;
}

function sequenceOf(header: string | undefined): number {
  if (header === undefined) return 0;
  if (!/^\d{1,15}$/.test(header))
    throw new InputError('BAD_VALUE', { field: 'last-event-id', detail: 'expected a number' });
  return Number(header);
}

/** Counts one more follower, until the function returned is called. @throws StateError BUSY */
function enter(followers: Map<string, number>, analyst: string): () => void {
  const own = followers.get(analyst) ?? 0;
  const all = [...followers.values()].reduce((sum, one) => sum + one, 0);
  if (own >= limits.followersPerAnalyst || all >= limits.followersMax) {
    throw new StateError('BUSY', { detail: 'too many event streams are open' });
  }
  followers.set(analyst, own + 1);
  let left = false;
  return () => {
    if (left) return;
    left = true;
    const now = (followers.get(analyst) ?? 1) - 1;
    if (now === 0) followers.delete(analyst);
    else followers.set(analyst, now);
  };
}
