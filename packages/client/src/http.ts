/**
 * The coordinator's HTTP API from the analyst's side: login by a signed nonce, requests with its token, errors as errors.
 *
 * Security  the coordinator is not trusted: what it answers is bounded, its texts lose control characters (they may end
 *           on a terminal), and nothing it says is believed where a signature can be checked instead
 * @module
 */
import { toHex } from '@folkmoot/core/bytes.js';
import {
  type ErrorCode,
  type ErrorReport,
  errorOf,
  type FolkmootError,
  InputError,
  isFolkmootError,
  layerOf,
  TransportError,
} from '@folkmoot/core/errors.js';
import type { Sign } from '@folkmoot/core/identity.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { loginLabel, loginStatement } from '@folkmoot/transport/control.js';
import { dialFault } from '@folkmoot/transport/outbound.js';

/** Views and lists of jobs: 200 jobs of a thousand parties each stay below. */
const replyBytesMax = 16 * 1024 * 1024;
/** From the request to the end of an ordinary reply. */
const replyMs = 60_000;
/** To the headers, from one address: a coordinator itself waits 10 s for what nodes say of their budgets. */
const headersMs = 15_000;
/** What a proxy says where nothing answers behind it, as while the coordinator is started again. */
const gatewayStatuses: readonly number[] = [502, 503, 504];
/** A report is a few sentences. */
const reportBytesMax = 64 * 1024;
/** The longest word or sentence that is taken over from a report. */
const textLengthMax = 4_000;

export interface HttpOptions {
  /** http(s): or ws(s):, as in `analyst.yaml`; plain only to loopback. Of several any one will do. */
  readonly url: string | readonly string[];
  readonly analyst: string;
  /** The hash of the charter that the analyst holds. */
  readonly charter: string;
  readonly sign: Sign;
  readonly fetch: typeof fetch;
  readonly clock: Clock;
}

export interface Request {
  readonly method?: 'GET' | 'POST';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

export class Http {
  readonly #options: HttpOptions;
  readonly #bases: readonly string[];
  /** The one that answered last. */
  #current = 0;
  #token: Promise<string> | undefined;

  /** @throws TransportError INSECURE_URL, InputError BAD_VALUE */
  constructor(options: HttpOptions) {
    this.#options = options;
    const urls = typeof options.url === 'string' ? [options.url] : options.url;
    if (urls.length === 0) throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'none is named' });
    this.#bases = urls.map(baseOf);
  }

  /** A reply's JSON, of an ordinary size or as large as the caller allows. */
  async json(path: string, request: Request = {}, bytesMax = replyBytesMax): Promise<unknown> {
    const late = new AbortController();
    const stop = this.#options.clock.after(replyMs, () => late.abort());
    try {
      const signal = request.signal === undefined ? late.signal : AbortSignal.any([late.signal, request.signal]);
      const response = await this.open(path, { ...request, signal });
      // From here a large reply takes the time it takes: it is bounded by its size.
      if (bytesMax > replyBytesMax) stop();
      return JSON.parse(await textOf(response, bytesMax)) as unknown;
    } catch (error) {
      throw error instanceof SyntaxError
        ? new TransportError('BAD_CONTROL', { detail: 'the reply is not JSON' })
        : error;
    } finally {
      stop();
    }
  }

  /** A successful response, logged in; its body is the caller's to read. An expired token is renewed once. */
  async open(path: string, request: Request = {}): Promise<Response> {
    const { signal } = request;
    const used = this.#login();
    const response = await this.#send(path, request, await unlessAborted(used, signal));
    if (response.ok) return response;
    const error = await faultOf(response);
    if (response.status !== 401) throw error;
    if (this.#token === used) this.#token = undefined;
    const again = await this.#send(path, request, await unlessAborted(this.#login(), signal));
    if (again.ok) return again;
    throw await faultOf(again);
  }

  #login(): Promise<string> {
    this.#token ??= this.#enter().catch((error: unknown) => {
      this.#token = undefined;
      throw error;
    });
    return this.#token;
  }

  async #enter(): Promise<string> {
    const { analyst, charter, sign } = this.#options;
    const { nonce } = await this.#post('/v1/login/nonce', {});
    if (typeof nonce !== 'string' || !/^[0-9a-f]{64}$/.test(nonce))
      throw new TransportError('BAD_CONTROL', { field: 'nonce' });
    const signature = toHex(sign(loginLabel, loginStatement(nonce, charter, 'analyst')));
    const { token } = await this.#post('/v1/login', { analyst, nonce, signature });
    if (typeof token !== 'string' || !/^[0-9a-f]{64}$/.test(token))
      throw new TransportError('BAD_CONTROL', { field: 'token' });
    return token;
  }

  async #post(path: string, body: unknown): Promise<Record<string, unknown>> {
    const late = new AbortController();
    const stop = this.#options.clock.after(replyMs, () => late.abort());
    try {
      const response = await this.#send(path, { method: 'POST', body, signal: late.signal });
      if (!response.ok) throw await faultOf(response);
      return JSON.parse(await textOf(response, replyBytesMax)) as Record<string, unknown>;
    } finally {
      stop();
    }
  }

  /**
   * Sent to the coordinator that answered last; where it cannot be reached, or hangs, to the others in turn. What is sent
   * twice by that is the same: a job has its id, and all else asks or takes back.
   */
  async #send(path: string, request: Request, token?: string): Promise<Response> {
    const order = this.#bases.map((_, place) => (this.#current + place) % this.#bases.length);
    let last: FolkmootError | undefined;
    for (const place of order) {
      try {
        const response = await this.#sendTo(this.#bases[place]!, path, request, token);
        this.#current = place;
        return response;
      } catch (error) {
        last = error as FolkmootError;
        if (request.signal?.aborted === true) break;
      }
    }
    throw last ?? new TransportError('UNREACHABLE');
  }

  async #sendTo(base: string, path: string, request: Request, token: string | undefined): Promise<Response> {
    const { method = 'GET', body, headers, signal } = request;
    const late = new AbortController();
    const stop = this.#options.clock.after(headersMs, () => late.abort());
    let response: Response;
    try {
      response = await this.#options.fetch(`${base}${path}`, {
        method,
        redirect: 'error',
        headers: {
          ...headers,
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]),
      });
      return gatewayStatuses.includes(response.status) ? await ownWord(response, base) : response;
    } catch (cause) {
      if (signal?.aborted === true) throw givenUp(cause);
      if (late.signal.aborted) {
        throw new TransportError('UNREACHABLE', { field: base, detail: 'no answer in time', cause });
      }
      throw isFolkmootError(cause) ? cause : dialFault(cause, base);
    } finally {
      stop();
    }
  }
}

/** The coordinator's own report. @throws TransportError UNREACHABLE where there is none: a proxy before it speaks for it */
async function ownWord(response: Response, base: string): Promise<Response> {
  const { status, headers } = response;
  let text = '';
  try {
    text = await textOf(response, reportBytesMax);
    if (reportFrom((JSON.parse(text) as { error?: unknown } | null)?.error) !== undefined) {
      return new Response(text, { status, headers });
    }
  } catch {
    // Longer than a report, cut off, or no JSON: not the coordinator's.
  }
  throw new TransportError('UNREACHABLE', { field: base, detail: `status ${status} from a proxy before it` });
}

function givenUp(cause?: unknown): TransportError {
  return new TransportError('UNREACHABLE', { detail: 'the request was given up', cause });
}

/** What is shared goes on; who asked for it need not wait. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(givenUp());
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** `ws://host:7700` as `http://host:7700`: the API stands on the port of the nodes. */
function baseOf(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'expected an address such as wss://host' });
  }
  const plain = url.protocol === 'ws:' || url.protocol === 'http:';
  if (!plain && url.protocol !== 'wss:' && url.protocol !== 'https:') {
    throw new InputError('BAD_VALUE', { field: 'coordinator', detail: 'expected wss: or https:' });
  }
  const loopback = url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d+){3}$/.test(url.hostname);
  if (plain && !loopback) throw new TransportError('INSECURE_URL', { field: 'coordinator' });
  return `${plain ? 'http' : 'https'}://${url.host}${url.pathname.replace(/\/$/, '')}`;
}

/** @throws TransportError FRAME_TOO_LARGE, LINK_LOST */
async function textOf(response: Response, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  try {
    for await (const piece of response.body ?? []) {
      bytes += piece.length;
      if (bytes > bytesMax)
        throw new TransportError('FRAME_TOO_LARGE', { detail: `the reply exceeds ${bytesMax} bytes` });
      text += decoder.decode(piece, { stream: true });
    }
  } catch (cause) {
    throw cause instanceof TransportError ? cause : new TransportError('LINK_LOST', { cause });
  }
  return text + decoder.decode();
}

async function faultOf(response: Response): Promise<FolkmootError> {
  const unreadable = new TransportError('BAD_CONTROL', { detail: `status ${response.status} without a report` });
  try {
    const body = JSON.parse(await textOf(response, replyBytesMax)) as { error?: unknown };
    return reportFrom(body.error) === undefined ? unreadable : errorOf(reportFrom(body.error)!);
  } catch {
    return unreadable;
  }
}

/** A report as it came from elsewhere, or undefined where it has not the form of one. */
export function reportFrom(value: unknown): ErrorReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, remedy, field, party } = value as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string' || typeof remedy !== 'string') return undefined;
  return {
    code: layerOf(code) === undefined ? 'INTERNAL' : (code as ErrorCode),
    message: harmless(message),
    remedy: harmless(remedy),
    ...(typeof field === 'string' ? { field: harmless(field) } : {}),
    ...(typeof party === 'string' ? { party: harmless(party) } : {}),
  };
}

export function harmless(text: string): string {
  return text.slice(0, textLengthMax).replace(/\p{Cc}/gu, ' ');
}
