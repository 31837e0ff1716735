/**
 * What is said about a failure, and to whom: others learn a code, the node's owner learns where to look.
 *
 * A source's error names columns and lines of the party's own records: the detail stays in the node's own state and
 * log, and the coordinator learns the code. An error that is not ours may quote anything, a record too, so of that not
 * even our own log gets the text: only its class and where in the program it arose.
 * @module
 */
import { type ErrorReport, isFolkmootError, reportOf, SourceError } from '@folkmoot/core/errors.js';

export interface Failure {
  /** For everyone. */
  readonly report: ErrorReport;
  /** For the party's own state and log. */
  readonly own: ErrorReport;
  readonly detail: string;
}

export function failureOf(error: unknown, party: string): Failure {
  const own = reportOf(error);
  const report = error instanceof SourceError ? { ...reportOf(new SourceError(error.code)), party } : own;
  return { report, own, detail: isFolkmootError(error) ? error.message : traceOf(error) };
}

/** The class and the places in the program, without the message. */
function traceOf(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const places = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return [error.name, ...places.slice(0, 12).map((line) => line.trim())].join(' ');
}
