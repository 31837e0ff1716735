/**
 * The analyst's end of a coordinator, by the settings of `analyst.yaml`.
 * @module
 */
import { randomBytes } from 'node:crypto';
import { type Client, createClient } from '@folkmoot/client/client.js';
import { InputError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import type { Invocation } from './command.ts';
import { readSettings, type Settings, type SettingsOptions } from './settings.ts';

export interface AnalystEnd {
  readonly client: Client;
  readonly settings: Settings;
}

/** @throws what reading settings, charter and keys throws; nothing is sent yet */
export async function connectAnalyst(invocation: Invocation, options: SettingsOptions): Promise<AnalystEnd> {
  const settings = await readSettings(invocation, options);
  const { charter, analyst, keys, coordinator: url, via } = settings;
  const { fetch } = via;
  return { settings, client: createClient({ charter, analyst, keys, url, clock: systemClock, randomBytes, fetch }) };
}

/**
 * The job meant by an id or by its first characters.
 * @throws InputError BAD_VALUE where none or several begin so
 */
export async function findJob(client: Client, given: string): Promise<string> {
  if (/^[0-9a-f]{64}$/.test(given)) return given;
  if (!/^[0-9a-f]{6,63}$/.test(given)) {
    throw new InputError('BAD_VALUE', { field: 'job', detail: 'expected a job id, or its first 6 digits or more' });
  }
  const matching = (await client.list()).filter(({ job }) => job.startsWith(given));
  if (matching.length === 1) return matching[0]!.job;
  const detail = matching.length === 0 ? 'none of your recent jobs begins so' : 'several of your jobs begin so';
  throw new InputError('BAD_VALUE', { field: 'job', detail });
}
