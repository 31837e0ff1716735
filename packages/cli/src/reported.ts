/**
 * An error that another process reported, thrown here as if it were our own: same code, same words, same exit code.
 * @module
 */
import { type ErrorReport, errorTable, type Layer, StateError } from '@folkmoot/core/errors.js';

/** The report as an Error. A code that this version does not know becomes INTERNAL and keeps its text. */
export function reported(report: ErrorReport): Error {
  const layer = (Object.keys(errorTable) as Layer[]).find((name) => report.code in errorTable[name]);
  if (layer === undefined) return new StateError('INTERNAL', { detail: report.message });
  const error = new Error(report.message);
  return Object.assign(error, {
    name: `${layer[0]!.toUpperCase()}${layer.slice(1)}Error`,
    layer,
    code: report.code,
    remedy: report.remedy,
    field: report.field,
    party: report.party,
  });
}

/** A report as it stands in a document of ours, or undefined where that is none. */
export function reportIn(value: unknown): ErrorReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, remedy } = value as Record<string, unknown>;
  const isReport = typeof code === 'string' && typeof message === 'string' && typeof remedy === 'string';
  return isReport ? (value as ErrorReport) : undefined;
}
