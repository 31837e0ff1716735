/**
 * What the coordinator says about a job. It is shown, and never decides anything here.
 * @module
 */
import { type ErrorReport, TransportError } from '@folkmoot/core/errors.js';
import { isVerdict, type JobStateName, jobStates, type Verdict } from './events.ts';
import { harmless, reportFrom } from './http.ts';

export interface PartyView {
  readonly party: string;
  /** It brings no records, and deals the correlated randomness. */
  readonly helper?: true;
  readonly connected: boolean;
  readonly verdict?: Verdict;
  readonly report?: ErrorReport;
}

export interface JobView {
  readonly job: string;
  readonly title: string;
  readonly state: JobStateName;
  readonly attempt: number;
  /** Instants, by the coordinator's clock. */
  readonly submitted: string;
  readonly updated: string;
  readonly expires: string;
  readonly parties: readonly PartyView[];
  readonly error?: ErrorReport;
  /** Why each of the attempts before this one failed. */
  readonly setbacks?: readonly ErrorReport[];
  /** An earlier job put the same question, and its answer is this one's too. */
  readonly same_as?: string;
}

/** @throws TransportError BAD_CONTROL */
export function jobViewFrom(value: unknown): JobView {
  const given = fieldsOf(value);
  const { state, attempt } = given;
  if (!jobStates.includes(state as JobStateName)) throw bad('state');
  if (!Number.isSafeInteger(attempt)) throw bad('attempt');
  const error = reportFrom(given.error);
  const setbacks = given.setbacks === undefined ? [] : listOf(given, 'setbacks').map(reportFrom);
  return {
    job: textOf(given, 'job'),
    title: textOf(given, 'title'),
    state: state as JobStateName,
    attempt: attempt as number,
    submitted: textOf(given, 'submitted'),
    updated: textOf(given, 'updated'),
    expires: textOf(given, 'expires'),
    parties: listOf(given, 'parties').map(partyFrom),
    ...(error === undefined ? {} : { error }),
    ...(setbacks.length === 0 ? {} : { setbacks: setbacks.filter((one) => one !== undefined) }),
    ...(given.same_as === undefined ? {} : { same_as: textOf(given, 'same_as') }),
  };
}

function partyFrom(value: unknown): PartyView {
  const given = fieldsOf(value);
  const { verdict } = given;
  const report = reportFrom(given.report);
  return {
    party: textOf(given, 'party'),
    ...(given.helper === true ? { helper: true as const } : {}),
    connected: given.connected === true,
    ...(isVerdict(verdict) ? { verdict } : {}),
    ...(report === undefined ? {} : { report }),
  };
}

/** The members of an object, or a typed refusal. */
export function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('reply');
  return value as Record<string, unknown>;
}

export function listOf(given: Readonly<Record<string, unknown>>, name: string): readonly unknown[] {
  const value = given[name];
  if (!Array.isArray(value)) throw bad(name);
  return value as unknown[];
}

export function textOf(given: Readonly<Record<string, unknown>>, name: string): string {
  const value = given[name];
  if (typeof value !== 'string') throw bad(name);
  return harmless(value);
}

function bad(field: string): TransportError {
  return new TransportError('BAD_CONTROL', { field, detail: 'the coordinator’s reply has another form' });
}
