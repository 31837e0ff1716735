/**
 * Reports in what another process of ours prints: its last document, its log.
 * @module
 */
import type { ErrorReport } from '@folkmoot/core/errors.js';

/** The report, or undefined where the value has not the form of one. */
export function reportIn(value: unknown): ErrorReport | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { code, message, remedy } = value as Record<string, unknown>;
  const isReport = typeof code === 'string' && typeof message === 'string' && typeof remedy === 'string';
  return isReport ? (value as ErrorReport) : undefined;
}
