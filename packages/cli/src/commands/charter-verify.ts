/**
 * `folkmoot charter verify`: what a charter says, and whether every party signed it as it stands.
 * @module
 */
import { resolve } from 'node:path';
import { charterHash, checkSealed, fingerprint, parseCharter } from '@folkmoot/core/charter.js';
import { CharterError, reportOf } from '@folkmoot/core/errors.js';
import { charterStanding, standingText } from '../charter-standing.ts';
import type { CommandSpec } from '../command.ts';
import { exitCodes } from '../exit-code.ts';
import { readText } from '../files.ts';

export const charterVerify: CommandSpec<object> = {
  summary: 'show the fingerprint and members of a charter, and check every signature',
  arguments: [['<charter>', 'charter.json']],
  examples: ['folkmoot charter verify charter.json'],
  async run({ output, cwd }, [file = '']) {
    const charter = parseCharter(await readText(resolve(cwd, file)), file);
    const standing = charterStanding(charter);
    let fault: CharterError | undefined;
    try {
      checkSealed(charter);
    } catch (error) {
      if (!(error instanceof CharterError)) throw error;
      fault = error;
    }
    output.result(
      {
        hash: charterHash(charter),
        fingerprint: fingerprint(charter),
        ...standing,
        ...(fault === undefined ? {} : { error: reportOf(fault) }),
      },
      [
        standingText(charter, standing),
        '',
        fault === undefined ? 'Sealed: every party has signed this very charter.' : `Not sealed: ${fault.message}`,
      ].join('\n'),
    );
    return fault === undefined ? undefined : exitCodes.input.code;
  },
};
