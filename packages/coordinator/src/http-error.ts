/**
 * Errors as HTTP speaks them: a status for every code, and the body `{ error: report }`.
 * @module
 */
import { type ErrorCode, type ErrorReport, errorTable, isFolkmootError, reportOf } from '@folkmoot/core/errors.js';

type Status = 400 | 401 | 403 | 404 | 408 | 409 | 413 | 415 | 422 | 429 | 500 | 503;

const byCode: Partial<Record<ErrorCode, Status>> = {
  BAD_SYNTAX: 400,
  UNAUTHORISED: 401,
  LOGIN_REFUSED: 401,
  UNKNOWN_ANALYST: 403,
  BAD_SIGNATURE: 403,
  NOT_YOURS: 403,
  TOO_FEW_PARTIES: 403,
  REFUSED: 403,
  UNKNOWN_JOB: 404,
  CHARTER_MISMATCH: 409,
  JOB_CONFLICT: 409,
  NOT_READY: 409,
  ALREADY_ENDED: 409,
  REQUEST_TOO_LARGE: 413,
  JOB_EXPIRED: 422,
  NOT_YET_VALID: 422,
  BUSY: 429,
  STATE_FAILED: 503,
};

/** The status of a code: what is wrong with a document is 422, what is wrong with us 500. */
function statusOf(code: ErrorCode): Status {
  return byCode[code] ?? (code in errorTable.input ? 422 : 500);
}

/** What is answered for an error, and whether it is one of ours: the others belong in the log. */
export function answerTo(error: unknown): { status: Status; body: { error: ErrorReport }; ours: boolean } {
  const report = reportOf(error);
  return { status: statusOf(report.code), body: { error: report }, ours: isFolkmootError(error) };
}
