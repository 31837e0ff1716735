/**
 * What a doctor finds: one line for each thing that was looked at, and the remedy where something is to be done.
 * No finding holds a value of a record.
 * @module
 */
import { reportOf } from '@folkmoot/core/errors.js';

export type Level = 'ok' | 'warn' | 'fail';

export interface Finding {
  readonly check: string;
  readonly level: Level;
  readonly text: string;
  readonly remedy?: string;
}

export const ok = (check: string, text: string): Finding => ({ check, level: 'ok', text });
export const warn = (check: string, text: string, remedy: string): Finding => ({ check, level: 'warn', text, remedy });
export const fail = (check: string, text: string, remedy: string): Finding => ({ check, level: 'fail', text, remedy });

/** An error as a finding: its text and remedy are made for people, and one that is not ours keeps its text to itself. */
export function failed(check: string, error: unknown): Finding {
  const { code, message, remedy } = reportOf(error);
  return fail(check, `${message} [${code}]`, remedy);
}

/** The finding of this work; an error that it throws is one too. */
export async function looked(check: string, work: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await work();
  } catch (error) {
    return failed(check, error);
  }
}

const levels: readonly Level[] = ['ok', 'warn', 'fail'];

export function worst(findings: readonly Finding[]): Level {
  return levels[Math.max(0, ...findings.map(({ level }) => levels.indexOf(level)))]!;
}
