/**
 * The one port that a node may open: /metrics for Prometheus, /health and /ready for a supervisor, on loopback unless its
 * owner says otherwise. Nothing can be asked of the node here, and nothing about a job, a record or an analyst is told.
 * @module
 */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InputError } from '@folkmoot/core/errors.js';
import { type Health, httpStatusOf } from '@folkmoot/transport/health.js';
import type { Registry } from 'prom-client';
import type { ListenAddress } from './config.ts';

/** A scraper and a supervisor have one each. */
const connectionsMax = 32;
/** A request is a line and a few headers. */
const requestMs = 5_000;

export interface WatchPort {
  readonly url: string;
  close(): Promise<void>;
}

/** @throws InputError BAD_VALUE where the address is taken */
export async function openWatchPort(
  { host, port }: ListenAddress,
  health: Health,
  registry: Registry,
): Promise<WatchPort> {
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: requestMs, connectionsCheckingInterval: requestMs },
    (request, response) => {
      // A body is of no use here; what comes is thrown away.
      request.resume();
      const path = request.url?.split('?')[0] ?? '';
      const isRead = request.method === 'GET' || request.method === 'HEAD';
      answer(isRead ? path : '', response, health, registry).catch(() => response.destroy());
    },
  );
  server.maxConnections = connectionsMax;
  const bound = await listening(server, host, port);
  server.on('error', () => undefined);
  return {
    url: `http://${host}:${bound}`,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(path: string, response: ServerResponse, health: Health, registry: Registry): Promise<void> {
  response.setHeader('X-Content-Type-Options', 'nosniff');
  response.setHeader('Cache-Control', 'no-store');
  if (path === '/metrics') {
    const text = await registry.metrics();
    response.writeHead(200, { 'Content-Type': registry.contentType }).end(text);
  } else if (path === '/health' || path === '/ready') {
    const report = await health.look();
    response.writeHead(httpStatusOf(report), { 'Content-Type': 'application/json' }).end(JSON.stringify(report));
  } else {
    response.writeHead(404).end();
  }
}

function listening(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const detail = `${host}:${port} cannot be listened on`;
      reject(new InputError('BAD_VALUE', { field: 'metrics', detail, remedy: 'choose a free address', cause }));
    });
    server.listen(port, host.replace(/^\[|\]$/g, ''), () => resolve((server.address() as AddressInfo).port));
  });
}
