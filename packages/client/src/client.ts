/**
 * The analyst's SDK: sign and submit a job, follow it, open its sealed answer and check every party's part in it.
 *
 * ```ts
 * const client = createClient({ charter, analyst, keys, url, clock: systemClock, randomBytes });
 * const { job } = await client.submit(parseJob(text, 'job.yaml'));
 * for await (const event of client.events(job)) console.error(event);
 * const answer = await client.answer(job);
 * ```
 * Security  keys stay here. The coordinator gets what DESIGN lets it learn: the job's text, and who asked when. What an exact
 *           job withholds does not arrive: the parties multiply it by zero before it is opened. Of a protected job all
 *           released figures arrive, and `answer` leaves out those below the threshold.
 * @module
 */
import type { Answer } from '@folkmoot/core/answer.js';
import { signBudgetRequest } from '@folkmoot/core/budget-statement.js';
import { toHex } from '@folkmoot/core/bytes.js';
import { type Charter, charterHash } from '@folkmoot/core/charter.js';
import { checkJob } from '@folkmoot/core/check-job.js';
import { type JobEnvelope, jobId, signJob } from '@folkmoot/core/envelope.js';
import { CharterError, isFolkmootError, PolicyError, StateError } from '@folkmoot/core/errors.js';
import { signer } from '@folkmoot/core/identity.js';
import type { Job } from '@folkmoot/core/job.js';
import { lookUp } from '@folkmoot/core/name.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import type { Keys } from '@folkmoot/transport/keyring.js';
import { answerEnvelopeFrom, envelopeBytesMax, openAnswer } from './answer-envelope.ts';
import { type BudgetReport, budgetReportFrom } from './budget.ts';
import { follow, type JobEvent } from './events.ts';
import { Http } from './http.ts';
import { fieldsOf, type JobView, jobViewFrom, listOf } from './job-view.ts';

/** A job waits this long for its parties unless its analyst says otherwise. */
export const lifetimeMs = 24 * 3_600_000;
const submitsMax = 3;

export interface ClientOptions {
  /** A charter whose signatures were checked (`checkSealed`). */
  readonly charter: Charter;
  readonly analyst: string;
  readonly keys: Keys;
  /** The coordinator, or all that share the work: wss: or https:, plain only on loopback. */
  readonly url: string | readonly string[];
  readonly clock: Clock;
  readonly randomBytes: (n: number) => Uint8Array;
  readonly fetch?: typeof fetch;
}

export interface Client {
  /** Signs the job and hands it in. Sent again after a broken connection it is the same job. */
  submit(job: Job, options?: { readonly lifetimeMs?: number }): Promise<{ readonly job: string }>;
  /** The analyst's own jobs, the latest first; those submitted before an instant. */
  list(options?: { readonly before?: string }): Promise<readonly JobView[]>;
  state(job: string): Promise<JobView>;
  /** What happens to a job from its beginning to its end, over broken connections too. */
  events(job: string, options?: { readonly signal?: AbortSignal }): AsyncIterable<JobEvent>;
  cancel(job: string): Promise<JobView>;
  /** What is left of every party's budgets for this analyst, and what this analyst was charged. */
  budget(): Promise<BudgetReport>;
  /** The answer: fetched, checked, opened and finished. */
  answer(job: string): Promise<Answer>;
}

/**
 * @throws PolicyError UNKNOWN_ANALYST, CharterError KEY_MISMATCH, TransportError INSECURE_URL, InputError BAD_VALUE
 */
export function createClient(options: ClientOptions): Client {
  const { charter, analyst, keys, url, clock, randomBytes, fetch: fetchOf = fetch } = options;
  const listed = lookUp(charter.analysts, analyst);
  if (listed === undefined) throw new PolicyError('UNKNOWN_ANALYST', { detail: analyst });
  if (
    keys.kind !== 'analyst' ||
    keys.public.identity !== listed.identity ||
    keys.public.recipient !== listed.recipient
  ) {
    throw new CharterError('KEY_MISMATCH', { field: analyst });
  }
  const { recipient } = keys.public;
  const { secret } = keys;
  const sign = signer(secret.identity);
  const http = new Http({ url, analyst, charter: charterHash(charter), sign, fetch: fetchOf, clock });
  const state = async (job: string) => jobViewFrom(await http.json(pathOf(job)));

  return {
    async submit(job, { lifetimeMs: lifetime = lifetimeMs } = {}) {
      checkJob(job, charter);
      const nowMs = clock.now();
      const envelope: JobEnvelope = {
        job,
        analyst,
        recipient,
        charter: charterHash(charter),
        issued: new Date(nowMs).toISOString(),
        expires: new Date(nowMs + lifetime).toISOString(),
        nonce: toHex(randomBytes(16)),
      };
      const id = jobId(envelope);
      const request = { method: 'POST', body: signJob(envelope, sign), headers: { 'idempotency-key': id } } as const;
      for (let count = 1; ; count++) {
        try {
          await http.json('/v1/jobs', request);
          return { job: id };
        } catch (error) {
          const lost = isFolkmootError(error) && (error.code === 'UNREACHABLE' || error.code === 'LINK_LOST');
          if (!lost || count >= submitsMax) throw error;
        }
      }
    },
    async list({ before } = {}) {
      const query = before === undefined ? '' : `?before=${encodeURIComponent(before)}`;
      return listOf(fieldsOf(await http.json(`/v1/jobs${query}`)), 'jobs').map(jobViewFrom);
    },
    state,
    events(job, { signal } = {}) {
      pathOf(job);
      return { [Symbol.asyncIterator]: () => follow({ http, job, clock, randomBytes, signal }) };
    },
    async cancel(job) {
      return jobViewFrom(await http.json(`${pathOf(job)}/cancel`, { method: 'POST', body: {} }));
    },
    async budget() {
      const request = {
        analyst,
        charter: charterHash(charter),
        issued: new Date(clock.now()).toISOString(),
        nonce: toHex(randomBytes(16)),
      };
      const body = signBudgetRequest(request, sign);
      return budgetReportFrom(await http.json('/v1/budget', { method: 'POST', body }), charter, request);
    },
    async answer(job) {
      const envelope = answerEnvelopeFrom(await http.json(`${pathOf(job)}/answer`, {}, envelopeBytesMax));
      // Of the job that was computed: a question that is asked again has the same answer to the last byte.
      const { submitted, updated } = await state(envelope.job);
      const seconds = Math.max(0, (Date.parse(updated) - Date.parse(submitted)) / 1000) || 0;
      return openAnswer(envelope, job, seconds, { charter, analyst, recipientSeed: secret.recipient });
    },
  };
}

/** @throws StateError UNKNOWN_JOB: what has not the form of an id would be another path */
function pathOf(job: string): string {
  if (!/^[0-9a-f]{64}$/.test(job)) throw new StateError('UNKNOWN_JOB', { detail: 'expected 64 hexadecimal digits' });
  return `/v1/jobs/${job}`;
}
