/**
 * Which audit log a command is about: a party's own, by its node.yaml, or a file that was exported.
 * @module
 */
import { resolve } from 'node:path';
import { type Charter, checkSealed, parseCharter } from '@folkmoot/core/charter.js';
import { parseDocument } from '@folkmoot/core/document.js';
import type { OwnerOptions } from '@folkmoot/node/owner.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { z } from 'zod';
import type { CommandOption, Invocation } from './command.ts';
import { readText } from './files.ts';

export interface OwnLogOptions {
  readonly config?: string;
  readonly state?: string;
  readonly charter?: string;
}

export const ownLogOptions: readonly CommandOption[] = [
  { flags: '--config <file>', text: 'the party’s own settings (default: node.yaml here)' },
  { flags: '--state <folder>', text: 'instead of `state`' },
];

export function ownerOptions({ cwd }: Invocation, { config = 'node.yaml', state }: OwnLogOptions): OwnerOptions {
  const overrides = state === undefined ? {} : { state };
  return { configFile: resolve(cwd, config), overrides, nowMs: () => systemClock.now() };
}

/** The sealed charter that is named, or that node.yaml names, or charter.json here. */
export async function sealedCharter({ cwd }: Invocation, { charter, config }: OwnLogOptions): Promise<Charter> {
  const file = charter === undefined ? await charterOf(cwd, config) : resolve(cwd, charter);
  const read = parseCharter(await readText(file), file);
  checkSealed(read);
  return read;
}

const naming = z.looseObject({ charter: z.string().min(1) });

async function charterOf(cwd: string, config: string | undefined): Promise<string> {
  if (config === undefined) return resolve(cwd, 'charter.json');
  const file = resolve(cwd, config);
  return resolve(file, '..', parseDocument(await readText(file), naming, { name: file }).charter);
}
