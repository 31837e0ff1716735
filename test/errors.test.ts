import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errorTable, isFolkmootError, ProtocolError, reportOf, SourceError } from '@folkmoot/core/errors.js';
import { describe, expect, it } from 'vitest';
import { errorsPage } from '../docs/errors-page.ts';

const root = join(import.meta.dirname, '..');
const codes = Object.values(errorTable).flatMap((layer) => Object.keys(layer));

function text(folders: readonly string[], pattern: RegExp): string {
  return folders
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && pattern.test(entry.name) && !entry.parentPath.includes('node_modules'))
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
    )
    .join('\n');
}

describe('the table of errors', () => {
  it('has no code in two layers', () => {
    expect(codes.filter((code, place) => codes.indexOf(code) !== place)).toEqual([]);
  });

  it('is the page docs/ERRORS.md', () => {
    expect(readFileSync(join(root, 'docs/ERRORS.md'), 'utf8')).toBe(errorsPage());
  });

  it('has no code that nothing raises', () => {
    const raised = readdirSync(join(root, 'packages'))
      .map((name) => `packages/${name}/src`)
      .map((folder) => text([folder], /(?<!errors)\.ts$/))
      .join('\n');
    expect(codes.filter((code) => !raised.includes(`'${code}'`))).toEqual([]);
  });

  it('has a test that reaches each code', () => {
    const tested = text(
      ['test', ...readdirSync(join(root, 'packages')).map((name) => `packages/${name}/test`)].filter((folder) => {
        try {
          return readdirSync(join(root, folder)).length > 0;
        } catch {
          return false;
        }
      }),
      /\.ts$/,
    );
    expect(codes.filter((code) => !new RegExp(`['"\`]${code}['"\`]`).test(tested))).toEqual([]);
  });
});

describe('an error', () => {
  it('says who, where, what and the remedy', () => {
    const error = new SourceError('SOURCE_VALUE', { party: 'camden', field: 'residents.age', detail: 'whole number' });
    expect(error.message).toBe('camden: residents.age: a column holds a value of the wrong form: whole number');
    expect(reportOf(error)).toEqual({
      code: 'SOURCE_VALUE',
      message: error.message,
      remedy: errorTable.source.SOURCE_VALUE.remedy,
      field: 'residents.age',
      party: 'camden',
    });
    expect(isFolkmootError(new ProtocolError('STALLED'))).toBe(true);
  });

  it('that is not ours is reported without its text', () => {
    expect(JSON.stringify(reportOf(new Error('row 7: nhs 9434765919')))).not.toContain('9434765919');
    expect(reportOf(new Error('x')).code).toBe('INTERNAL');
  });
});
