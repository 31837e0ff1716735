/**
 * What the process says, and where: the answer on stdout, everything else on stderr.
 *
 * With `--json` stdout holds exactly one JSON document, whatever happens: the result, or `{ "error": report }`.
 * @module
 */
import { isFolkmootError, reportOf } from '@folkmoot/core/errors.js';
import { exitCodeOf } from './exit-code.ts';

export interface Streams {
  readonly stdout: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };
}

export interface Output {
  readonly json: boolean;
  /** The result: `document` with --json, otherwise the text. */
  result(document: unknown, text: string): void;
  /** The result of a service with --json: one line, as soon as it is ready. What fails later stands on stderr. */
  line(document: unknown): void;
  /** A part of the result that is there before the rest; nothing with --json. */
  part(text: string): void;
  /** A remark for people, on stderr. */
  note(text: string): void;
  /** The failure of the whole command; gives the exit code. */
  failure(error: unknown): number;
}

export function createOutput(streams: Streams, json: boolean): Output {
  let isDocumentOut = false;
  return {
    json,
    line(document) {
      isDocumentOut = true;
      streams.stdout.write(`${JSON.stringify(document)}\n`);
    },
    result(document, text) {
      isDocumentOut = true;
      streams.stdout.write(json ? `${JSON.stringify(document, null, 2)}\n` : `${text.replace(/\n*$/, '')}\n`);
    },
    part(text) {
      if (!json) streams.stdout.write(`${text}\n`);
    },
    note(text) {
      streams.stderr.write(`${text}\n`);
    },
    failure(error) {
      const report = reportOf(error);
      if (json && !isDocumentOut) streams.stdout.write(`${JSON.stringify({ error: report }, null, 2)}\n`);
      streams.stderr.write(`folkmoot: ${report.message} [${report.code}]\n  ${report.remedy}\n`);
      // A fault of the program itself has no report of its own; its stack names places, and here no record is at hand.
      if (!isFolkmootError(error) && error instanceof Error) {
        streams.stderr.write(`${error.stack ?? error.message}\n`);
      }
      return exitCodeOf(report);
    },
  };
}
