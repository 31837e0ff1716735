/**
 * A consortium as a folder: a charter, and a folder with a node.yaml for each party. It is only ever read.
 * @module
 */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type Charter, parseCharter } from '@folkmoot/core/charter.js';
import { parseDocument } from '@folkmoot/core/document.js';
import { InputError, PolicyError } from '@folkmoot/core/errors.js';
import { z } from 'zod';
import { readText } from './files.ts';

export interface Consortium {
  readonly folder: string;
  readonly charter: Charter;
  /** coordinator/coordinator.yaml, where there is one. */
  readonly coordinatorFile: string | undefined;
  /** Each party's node.yaml. */
  readonly nodeFiles: ReadonlyMap<string, string>;
}

/** The node itself reads the whole file; here it is only asked whose it is. */
const whose = z.looseObject({ party: z.string() });

/** @throws InputError FILE_UNREADABLE, UNKNOWN_PARTY, DUPLICATE_PARTY, and as `parseCharter` */
export async function readConsortium(folder: string): Promise<Consortium> {
  const charterFile = ['charter.yaml', 'charter.json'].map((name) => join(folder, name)).find(existsSync);
  if (charterFile === undefined) {
    throw new InputError('FILE_UNREADABLE', {
      field: folder,
      detail: 'there is no charter.yaml in it',
      remedy: 'name the folder of a consortium: a charter.yaml, and a folder with a node.yaml for each party',
    });
  }
  const charter = parseCharter(await readText(charterFile), charterFile);
  const nodeFiles = new Map<string, string>();
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = join(folder, entry.name, 'node.yaml');
    if (!existsSync(file)) continue;
    const { party } = parseDocument(await readText(file), whose, { name: file });
    const field = `${relative(folder, file)}: party`;
    if (!Object.hasOwn(charter.parties, party)) throw new InputError('UNKNOWN_PARTY', { field, detail: party });
    if (nodeFiles.has(party)) throw new InputError('DUPLICATE_PARTY', { field, detail: party });
    nodeFiles.set(party, file);
  }
  const coordinatorFile = join(folder, 'coordinator', 'coordinator.yaml');
  return {
    folder,
    charter,
    coordinatorFile: existsSync(coordinatorFile) ? coordinatorFile : undefined,
    nodeFiles,
  };
}

/** The first listed analyst, or the one named. @throws PolicyError UNKNOWN_ANALYST */
export function analystOf(charter: Charter, named: string | undefined): string {
  const analyst = named ?? Object.keys(charter.analysts)[0];
  if (analyst === undefined || !Object.hasOwn(charter.analysts, analyst)) {
    throw new PolicyError('UNKNOWN_ANALYST', { field: '--as', ...(named === undefined ? {} : { detail: named }) });
  }
  return analyst;
}
