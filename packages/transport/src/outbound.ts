/**
 * How connections leave the house: through which proxy, and whose certificates are trusted on the way.
 *
 * An HTTP proxy is asked for a tunnel (CONNECT, RFC 9110, 9.3.6) to the coordinator, in which TLS is spoken with the
 * coordinator itself. Which proxy, and for which hosts none, stands in the variables HTTPS_PROXY and NO_PROXY (in small
 * letters as well), as other programs read them. Connections to this machine that are not encrypted pass no proxy.
 *
 * Security  TLS 1.3 at least; the proxy learns the coordinator's name, sizes and times. Beside the authorities that Node
 *           trusts one private authority may be named, for these connections only.
 * @module
 */
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import { Readable } from 'node:stream';
import { createSecureContext, getCACertificates } from 'node:tls';
import { InputError, TransportError } from '@folkmoot/core/errors.js';

export interface Outbound {
  /** For connections that are encrypted. */
  readonly agent: Agent;
  /** As the global one, by these ways. A redirection is an error. */
  readonly fetch: typeof fetch;
}

export interface OutboundOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The certificate of a private authority, or several, in PEM form. */
  readonly ca?: string | undefined;
}

const variables = ['HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'] as const;

/** @throws InputError BAD_VALUE where the proxy's address or the authority's certificate is none */
export function outbound({ env, ca }: OutboundOptions): Outbound {
  const proxy = env.https_proxy || env.HTTPS_PROXY;
  if (proxy && (!URL.canParse(proxy) || !/^https?:$/.test(new URL(proxy).protocol))) {
    // It may hold a password.
    throw new InputError('BAD_VALUE', { field: 'HTTPS_PROXY', detail: 'expected an address such as http://host:3128' });
  }
  const proxyEnv = Object.fromEntries(variables.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  const trusted = ca === undefined ? {} : { ca: [...getCACertificates('default'), checked(ca)] };
  const agent = new Agent({ proxyEnv, ...trusted, minVersion: 'TLSv1.3' });
  return {
    agent,
    fetch: (input, init = {}) => {
      const url = new URL(String(input instanceof Request ? input.url : input));
      return url.protocol === 'https:' ? fetchBy(agent, url, init) : fetch(input, init);
    },
  };
}

function checked(ca: string): string {
  try {
    createSecureContext({ ca });
    if (ca.includes('-----BEGIN CERTIFICATE-----')) return ca;
  } catch {
    // Said below, for both.
  }
  throw new InputError('BAD_VALUE', { field: 'ca', detail: 'expected certificates in PEM form' });
}

function fetchBy(agent: Agent, url: URL, { method = 'GET', headers, body, signal }: RequestInit): Promise<Response> {
  if (body !== undefined && body !== null && typeof body !== 'string') throw new TypeError('a body is text here');
  const sent = {
    ...Object.fromEntries(new Headers(headers)),
    ...(typeof body === 'string' ? { 'content-length': String(Buffer.byteLength(body)) } : {}),
  };
  return new Promise((resolve, reject) => {
    const asked = request(url, { agent, method, headers: sent, ...(signal ? { signal } : {}) }, (reply) => {
      const { statusCode: status = 0 } = reply;
      if (status >= 300 && status < 400) {
        reply.destroy();
        reject(new TransportError('UNREACHABLE', { field: url.origin, detail: 'it leads elsewhere' }));
      } else {
        resolve(responseOf(reply, status));
      }
    });
    asked.on('error', reject);
    asked.end(body ?? undefined);
  });
}

function responseOf(reply: IncomingMessage, status: number): Response {
  const headers = new Headers();
  for (const [name, values] of Object.entries(reply.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const hasBody = status !== 204 && status !== 205;
  if (!hasBody) reply.resume();
  return new Response(hasBody ? (Readable.toWeb(reply) as ReadableStream) : null, { status, headers });
}

const untrusted = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REVOKED',
  'CERT_UNTRUSTED',
  'INVALID_CA',
  'ERR_TLS_CERT_ALTNAME_INVALID',
];

/** Why a connection to this place could not be made. */
export function dialFault(cause: unknown, place: string): TransportError {
  for (let one = cause; one instanceof Error; one = one.cause) {
    if (one instanceof TransportError && (one.code === 'UNTRUSTED' || one.code === 'PROXY_REFUSED')) return one;
    const { code, statusCode } = one as Error & { readonly code?: unknown; readonly statusCode?: unknown };
    if (typeof code !== 'string') continue;
    if (untrusted.includes(code)) return new TransportError('UNTRUSTED', { field: place, detail: code, cause });
    if (code === 'ERR_PROXY_TUNNEL' && typeof statusCode === 'number') {
      return new TransportError('PROXY_REFUSED', { field: place, detail: `status ${statusCode}`, cause });
    }
  }
  return new TransportError('UNREACHABLE', { field: place, cause });
}
