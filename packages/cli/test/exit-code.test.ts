import { type ErrorReport, errorOf, InputError, SourceError, StateError } from '@folkmoot/core/errors.js';
import { describe, expect, it } from 'vitest';
import { exitCodeHelp, exitCodeOf, exitCodeOfError } from '../src/exit-code.ts';

const report = (code: string) => ({ code, message: 'text', remedy: 'remedy' }) as ErrorReport;

describe('exit codes', () => {
  it.each([
    ['BAD_VALUE', 2],
    ['CHARTER_CHANGED', 2],
    ['REFUSED', 3],
    ['PARTY_DENIED', 3],
    ['TAMPERED', 4],
    ['UNREACHABLE', 4],
    ['SOURCE_VALUE', 5],
    ['NOT_READY', 1],
    ['INTERRUPTED', 130],
    ['A_CODE_OF_LATER', 1],
  ])('%s is %i', (code, exitCode) => {
    expect(exitCodeOf(report(code))).toBe(exitCode);
  });

  it('keeps an error that another process reported what it was', () => {
    expect(exitCodeOfError(errorOf(report('SOURCE_VALUE')))).toBe(5);
    expect(exitCodeOfError(new InputError('BAD_VALUE'))).toBe(exitCodeOfError(errorOf(report('BAD_VALUE'))));
    expect(exitCodeOfError(new Error('not ours'))).toBe(exitCodeOfError(new StateError('INTERNAL')));
    expect(exitCodeOfError(new SourceError('SOURCE_EMPTY'))).toBe(5);
  });

  it('stand in the help', () => {
    expect(exitCodeHelp()).toMatch(/^ {4}3 {2}refused/m);
  });
});
