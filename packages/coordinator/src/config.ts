/**
 * The coordinator's own settings: `coordinator.yaml`.
 *
 * ```yaml
 * charter: ../charter.json      # sealed; paths are relative to this file
 * listen: 127.0.0.1:7700
 * state: ./state                # a folder for SQLite, for one coordinator; or for several that share the load:
 *                               # { postgres: { url_env: FOLKMOOT_DATABASE_URL } }, the address in the environment
 * behind_tls_proxy: true        # only where a proxy before it speaks TLS: lets it listen beyond loopback
 * ```
 * The coordinator itself speaks plain http: and ws:. Beyond loopback that is allowed only behind a proxy that ends TLS,
 * and the operator says so with `behind_tls_proxy`, so that nobody opens a plain port by a slip of an address.
 * @module
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDocument } from '@folkmoot/core/document.js';
import { InputError, TransportError } from '@folkmoot/core/errors.js';
import { z } from 'zod';

const listenForm = /^(\[[0-9a-f:.]+\]|[a-z0-9.-]+):(\d{1,5})$/i;

const schema = z.strictObject({
  charter: z.string().min(1),
  listen: z.string().regex(listenForm, 'expected host:port'),
  state: z.union([z.string().min(1), z.strictObject({ postgres: z.strictObject({ url_env: z.string().min(1) }) })]),
  behind_tls_proxy: z.boolean().default(false),
});

export interface CoordinatorConfig {
  /** Absolute path of the sealed charter. */
  readonly charter: string;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly state: StateConfig;
}

/** The absolute path of a folder for SQLite, or the name of the variable that holds the address of a PostgreSQL. */
type StateConfig = { readonly folder: string } | { readonly urlEnv: string };

/** What a caller (the command line, a test) sets in place of the file's own. */
export interface ConfigOverrides {
  readonly charter?: string | undefined;
  readonly listen?: string | undefined;
  /** A folder. */
  readonly state?: string | undefined;
}

/**
 * The settings in this text, with paths relative to `folder`.
 * @throws InputError BAD_SYNTAX, DUPLICATE_KEY, UNKNOWN_KEY, BAD_VALUE
 * @throws TransportError INSECURE_URL
 */
export function parseConfig(text: string, folder: string, overrides: ConfigOverrides = {}): CoordinatorConfig {
  const given = parseDocument(text, schema, { name: 'coordinator.yaml' });
  const { host, port } = parseListen(overrides.listen ?? given.listen);
  if (!isLoopback(host) && !given.behind_tls_proxy) {
    throw new TransportError('INSECURE_URL', {
      field: 'listen',
      detail: 'this address is reached from other machines',
      remedy: 'listen on 127.0.0.1, or set `behind_tls_proxy: true` where a proxy before it speaks TLS',
    });
  }
  return {
    charter: overrides.charter === undefined ? resolve(folder, given.charter) : resolve(overrides.charter),
    host,
    port,
    state: overrides.state === undefined ? stateOf(given.state, folder) : { folder: resolve(overrides.state) },
  };
}

function stateOf(given: z.infer<typeof schema>['state'], folder: string): StateConfig {
  return typeof given === 'string' ? { folder: resolve(folder, given) } : { urlEnv: given.postgres.url_env };
}

/** @throws InputError BAD_VALUE where the file cannot be read, and as parseConfig does */
export function readConfig(file: string, overrides: ConfigOverrides = {}): CoordinatorConfig {
  return parseConfig(readText(file, 'config'), dirname(resolve(file)), overrides);
}

/** @throws InputError BAD_VALUE, naming the setting that pointed here */
export function readText(file: string, field: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new InputError('BAD_VALUE', { field, detail: `${file} cannot be read`, cause });
  }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function parseListen(listen: string): { host: string; port: number } {
  const [, host = '', digits = ''] = listenForm.exec(listen) ?? [];
  const port = Number(digits);
  if (host === '' || port > 65_535)
    throw new InputError('BAD_VALUE', { field: 'listen', detail: 'expected host:port' });
  return { host, port };
}
