/**
 * The server's end of links: WebSocket upgrades of one path of an HTTP server.
 *
 * Security  requests by web pages are refused (they carry an Origin); who speaks is decided by the login that follows
 * @module
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import type { Clock } from './clock.ts';
import { type FrameLink, socketOptions, WebSocketLink } from './link.ts';

/**
 * Far more than a consortium has parties, since of links that hang each may come a second time; each costs a socket and at
 * most a few MiB of buffers.
 */
export const connectionsMax = 4096;

export interface ListenOptions {
  readonly path: string;
  readonly clock: Clock;
  onLink(link: FrameLink): void;
}

/** Takes upgrades until closed, which ends all links that came this way. */
export function listen(server: Server, { path, clock, onLink }: ListenOptions): { close(): void } {
  const upgrades = new WebSocketServer({ ...socketOptions, noServer: true, clientTracking: false });
  const links = new Set<FrameLink>();

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const refusal = refusalOf(request, path, links.size);
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    upgrades.handleUpgrade(request, socket, head, (webSocket) => {
      const link = new WebSocketLink(webSocket, clock);
      links.add(link);
      link.onClose(() => links.delete(link));
      onLink(link);
    });
  };

  server.on('upgrade', onUpgrade);
  return {
    close() {
      server.off('upgrade', onUpgrade);
      for (const link of links) link.close();
    },
  };
}

function refusalOf(request: IncomingMessage, path: string, open: number): string | undefined {
  if (request.url?.split('?')[0] !== path) return '404 Not Found';
  if (request.headers.origin !== undefined) return '403 Forbidden';
  return open >= connectionsMax ? '503 Service Unavailable' : undefined;
}
