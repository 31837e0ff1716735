/**
 * The analyst's own settings, `analyst.yaml`: who asks, of which consortium, through which coordinator.
 * @module
 */
import { dirname, resolve } from 'node:path';
import { type Charter, checkSealed, parseCharter } from '@folkmoot/core/charter.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { CharterError, PolicyError } from '@folkmoot/core/errors.js';
import { type AnalystKeys, readKeys } from '@folkmoot/transport/keyring.js';
import { type Outbound, outbound } from '@folkmoot/transport/outbound.js';
import { z } from 'zod';
import type { CommandOption, Invocation } from './command.ts';
import { readPassphrase, readText } from './files.ts';

/** Options of every command that reads the settings. */
export interface SettingsOptions {
  readonly config?: string;
  readonly passphraseFile?: string;
}

export const settingsOptions: readonly CommandOption[] = [
  { flags: '--config <file>', text: 'the analyst’s settings (default: FOLKMOOT_CONFIG, or analyst.yaml here)' },
  { flags: '--passphrase-file <file>', text: 'unwraps the keys (default: FOLKMOOT_PASSPHRASE_FILE)' },
];

const path = z.string().min(1);
const schema = z.strictObject({
  analyst: z.string().min(1),
  charter: path,
  /** Where several share the work, any of them will do: they are tried in this order. */
  coordinator: z.union([path, z.array(path).min(1).max(16)]),
  keys: path,
  /** Room for what later versions keep of jobs and answers; nothing is written there yet. */
  state: path,
  /** The certificate of a private authority, beside those that Node trusts. */
  ca: path.optional(),
});

export interface Settings {
  readonly analyst: string;
  readonly charter: Charter;
  readonly coordinator: string | readonly string[];
  readonly keys: AnalystKeys;
  /** How requests leave: by the proxy of the environment, trusting the authority named. */
  readonly via: Outbound;
}

/**
 * The settings with the sealed charter and the keys they name.
 * @throws InputError, CharterError, PolicyError UNKNOWN_ANALYST
 */
export async function readSettings({ env, cwd }: Invocation, options: SettingsOptions): Promise<Settings> {
  const file = resolve(cwd, options.config ?? env.FOLKMOOT_CONFIG ?? 'analyst.yaml');
  const given = parseDocument(await readText(file), schema, { name: file });
  const ca = given.ca === undefined ? undefined : await readText(resolve(dirname(file), given.ca));
  const charterFile = resolve(dirname(file), given.charter);
  const charter = parseCharter(await readText(charterFile), charterFile);
  checkSealed(charter);
  const listed = Object.hasOwn(charter.analysts, given.analyst) ? charter.analysts[given.analyst] : undefined;
  if (listed === undefined) throw new PolicyError('UNKNOWN_ANALYST', { field: `${file}: analyst` });
  const folder = resolve(dirname(file), given.keys);
  const keys = await readKeys(folder, await readPassphrase(options.passphraseFile ?? env.FOLKMOOT_PASSPHRASE_FILE));
  if (
    keys.kind !== 'analyst' ||
    keys.public.identity !== listed.identity ||
    keys.public.recipient !== listed.recipient
  ) {
    throw new CharterError('KEY_MISMATCH', { field: folder });
  }
  return {
    analyst: given.analyst,
    charter,
    coordinator: given.coordinator,
    keys,
    via: outbound({ env, ca }),
  };
}
