/**
 * `folkmoot doctor`: is all in order that a node or a coordinator needs? Each line says ok, warn or fail, and the remedy.
 * @module
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseDocument } from '@folkmoot/core/document.js';
import { InputError } from '@folkmoot/core/errors.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { type Finding, worst } from '@folkmoot/transport/finding.js';
import { z } from 'zod';
import type { CommandSpec } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { readPassphrase, readText } from '../files.ts';

interface Options {
  readonly config?: string;
  readonly keys?: string;
  readonly state?: string;
  readonly charter?: string;
  readonly coordinator?: string;
  readonly passphraseFile?: string;
}

const usualFiles = ['node.yaml', 'coordinator.yaml'];
const codes = { ok: exitCodes.ok.code, warn: exitCodes.warned.code, fail: exitCodes.failure.code };

export const doctor: CommandSpec<Options> = {
  summary: 'look at everything that a node or a coordinator needs, and say what to mend',
  options: [
    { flags: '--config <file>', text: 'node.yaml or coordinator.yaml (default: the one that is here)' },
    { flags: '--keys <folder>', text: 'instead of `keys`' },
    { flags: '--state <folder>', text: 'instead of `state`' },
    { flags: '--charter <file>', text: 'instead of `charter`' },
    { flags: '--coordinator <url>', text: 'instead of `coordinator`' },
    { flags: '--passphrase-file <file>', text: 'unwraps the keys (default: FOLKMOOT_PASSPHRASE_FILE)' },
  ],
  examples: [
    'folkmoot doctor --config camden/node.yaml',
    'folkmoot doctor --config coordinator/coordinator.yaml --json',
  ],
  async run({ output, cwd, env }, _args, { config, passphraseFile, ...overrides }) {
    const configFile = resolve(cwd, config ?? usualFiles.find((name) => existsSync(resolve(cwd, name))) ?? 'node.yaml');
    const given = parseDocument(await readText(configFile), z.looseObject({}), { name: configFile });
    const common = { configFile, env, clock: systemClock };
    let findings: Finding[];
    if ('party' in given) {
      const { examineNode } = await import('@folkmoot/node/doctor.js');
      const passphrase = await readPassphrase(passphraseFile ?? env.FOLKMOOT_PASSPHRASE_FILE);
      findings = await examineNode({ ...common, overrides, ...(passphrase === undefined ? {} : { passphrase }) });
    } else if ('listen' in given) {
      const { examineCoordinator } = await import('@folkmoot/coordinator/doctor.js');
      const { charter, state, keys, coordinator } = overrides;
      const foreign = Object.entries({ '--keys': keys, '--coordinator': coordinator }).find(([, value]) => value);
      if (foreign !== undefined) {
        const detail = 'a coordinator has no such setting';
        throw new InputError('BAD_VALUE', { field: foreign[0], detail, remedy: 'leave it out, or name a node.yaml' });
      }
      findings = await examineCoordinator({ ...common, overrides: { charter, state } });
    } else {
      throw new InputError('BAD_VALUE', {
        field: configFile,
        detail: 'it is neither a node.yaml nor a coordinator.yaml',
        remedy: 'name the file with --config',
      });
    }
    const level = worst(findings);
    output.result({ level, findings }, textOf(findings));
    return codes[level];
  },
};

const words = { ok: '  ok', warn: 'WARN', fail: 'FAIL' } as const;

/** What is to be done stands below its line, and the count at the end. */
export function textOf(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ level, check, text, remedy }) => [
    `${words[level]}  ${check.padEnd(width)}  ${text}`,
    ...(remedy === undefined ? [] : [`      ${' '.repeat(width)}  → ${remedy}`]),
  ]);
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return [...lines, '', `${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} to mend`].join('\n');
}
