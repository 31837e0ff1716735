/**
 * How the owner's own programs reach a node: through its channel while it runs, and else in its database.
 * @module
 */
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { type ErrorReport, errorOf, isFolkmootError, StateError, TransportError } from '@folkmoot/core/errors.js';
import type { OwnerRoute } from './owner-channel.ts';
import { ownerFile } from './owner-channel.ts';
import { openStore, type Store } from './store.ts';

/** A node answers from its database; one that is busy with a job may need a moment. */
const answerMs = 30_000;
/** A ledger of many thousand entries. */
const answerBytesMax = 64 * 1024 * 1024;

/**
 * Asks the node that runs on this state folder, and gives what the route gave.
 * @throws TransportError UNREACHABLE where none runs; StateError STATE_FAILED where owner.json cannot be read; and what the
 * node refuses with
 */
export async function askOwner(
  state: string,
  method: OwnerRoute['method'],
  path: string,
  body?: unknown,
): Promise<unknown> {
  const { url, token } = accessOf(state);
  const { status, text } = await exchange(new URL(path, url), method, token, body);
  const value = parsed(text);
  if (status === 200) return value;
  const { error } = value as { readonly error: ErrorReport };
  throw errorOf(error);
}

export interface OwnerWays<T> {
  /** Asks the node that runs. */
  running(ask: (method: OwnerRoute['method'], path: string, body?: unknown) => Promise<unknown>): Promise<T>;
  /** Does it in the database, while no node runs. */
  stopped(store: Store): T | Promise<T>;
}

/**
 * What the owner wants of a node, whether it runs or not: the lock on its database tells.
 * @throws StateError STATE_NEWER, STATE_FAILED; TransportError UNREACHABLE; and what either way throws
 */
export async function throughOwner<T>(state: string, nowMs: () => number, ways: OwnerWays<T>): Promise<T> {
  let store: Store;
  try {
    store = openStore(state, nowMs);
  } catch (error) {
    if (!isFolkmootError(error) || error.code !== 'STATE_IN_USE') throw error;
    return ways.running((method, path, body) => askOwner(state, method, path, body));
  }
  try {
    return await ways.stopped(store);
  } finally {
    store.close();
  }
}

function accessOf(state: string): { readonly url: string; readonly token: string } {
  let text: string;
  try {
    text = readFileSync(ownerFile(state), 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw away(cause);
    throw new StateError('STATE_FAILED', {
      field: ownerFile(state),
      detail: 'it cannot be read',
      remedy: 'ask as the user that the node runs as',
      cause,
    });
  }
  return parsed(text) as { readonly url: string; readonly token: string };
}

function away(cause: unknown): TransportError {
  return new TransportError('UNREACHABLE', {
    field: 'owner',
    detail: 'no node answers for this state folder',
    remedy: 'start the node, or try again in a moment if it is just starting',
    cause,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new TransportError('UNREACHABLE', { field: 'owner', detail: 'what answers there is no node', cause });
  }
}

/** With no agent of the process, so that no proxy of its environment ever sees the token. */
function exchange(
  url: URL,
  method: string,
  token: string,
  body: unknown,
): Promise<{ readonly status: number; readonly text: string }> {
  const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body), 'utf8');
  const headers = {
    Authorization: `Bearer ${token}`,
    ...(sent === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': sent.length }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(url, { method, headers, agent: false, timeout: answerMs }, (response) => {
      const parts: Buffer[] = [];
      let length = 0;
      response.on('data', (part: Buffer) => {
        length += part.length;
        if (length > answerBytesMax) asked.destroy(new Error('the answer is too long'));
        else parts.push(part);
      });
      response.on('error', (cause) => reject(away(cause)));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 500, text: Buffer.concat(parts).toString('utf8') }),
      );
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer')));
    asked.on('error', (cause) => reject(away(cause)));
    asked.end(sent);
  });
}
