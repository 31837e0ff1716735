/**
 * What the process says by its exit code: one table, printed by `folkmoot --help` and matched by scripts.
 * @module
 */
import { type ErrorReport, type Layer, layerOf, reportOf } from '@folkmoot/core/errors.js';

export const exitCodes = {
  ok: { code: 0, text: 'done' },
  failure: { code: 1, text: 'failed, or the job ended without an answer; cancel: it is not cancelled' },
  input: { code: 2, text: 'bad option, job, charter, key or configuration' },
  refused: { code: 3, text: 'refused by a policy, the charter or the clock' },
  protocol: { code: 4, text: 'a protocol or a connection failed' },
  source: { code: 5, text: 'a party’s own records cannot be used' },
  warned: { code: 6, text: 'doctor: nothing is broken, and something deserves a look' },
  interrupted: { code: 130, text: 'interrupted (Ctrl-C); 129 after SIGHUP, 143 after SIGTERM' },
} as const;

const codeOfLayer: Record<Layer, number> = {
  input: exitCodes.input.code,
  charter: exitCodes.input.code,
  policy: exitCodes.refused.code,
  protocol: exitCodes.protocol.code,
  transport: exitCodes.protocol.code,
  source: exitCodes.source.code,
  state: exitCodes.failure.code,
};

/** The exit code of a report, whichever process it came from. */
export function exitCodeOf(report: ErrorReport): number {
  if (report.code === 'PARTY_DENIED') return exitCodes.refused.code;
  if (report.code === 'INTERRUPTED') return exitCodes.interrupted.code;
  const layer = layerOf(report.code);
  return layer === undefined ? exitCodes.failure.code : codeOfLayer[layer];
}

/** The same for an error in hand. */
export function exitCodeOfError(error: unknown): number {
  return exitCodeOf(reportOf(error));
}

/** The table as `--help` shows it. */
export function exitCodeHelp(): string {
  return Object.values(exitCodes)
    .map(({ code, text }) => `  ${String(code).padStart(3)}  ${text}`)
    .join('\n');
}
