/**
 * A signed job: the question together with everything that must not change under its id.
 *
 * The id is SHA-256 of the canonical envelope (RFC 8785), and the analyst signs those 32 bytes; so a job, its analyst,
 * the key that its answer is sealed to, the charter it was meant under and its times are one thing or another job.
 * @module
 */
import { z } from 'zod';
import { fromHex, toHex } from '../algebra/bytes.ts';
import { canonicalJson, hashJson } from '../algebra/hash.ts';
import { CharterError, PolicyError } from '../channel/errors.ts';
import { type Charter, charterHash } from './charter.ts';
import { conform } from './document.ts';
import { type Sign, verify } from './identity.ts';
import { type Job, jobSchema } from './job.ts';
import { lookUp, memberSchema } from './name.ts';

/** How far two honest clocks may be apart. */
export const clockSkewMs = 120_000;
/** A job that may wait longer is asked again; nodes keep ids for as long as a job can still come. */
export const jobLifetimeMaxMs = 90 * 24 * 3600 * 1000;

export interface JobEnvelope {
  readonly job: Job;
  readonly analyst: string;
  /** The analyst's X-Wing key from the charter, in hexadecimal digits. */
  readonly recipient: string;
  /** The charter's hash, in hexadecimal digits. */
  readonly charter: string;
  /** Instants in UTC: `2026-11-21T09:00:00.000Z`. */
  readonly issued: string;
  readonly expires: string;
  /** 16 random bytes in hexadecimal digits, so that the same question asked again is another job. */
  readonly nonce: string;
}

export interface SignedJob {
  readonly envelope: JobEnvelope;
  readonly signature: string;
}

const instant = z.iso.datetime({ error: 'expected an instant such as 2026-11-21T09:00:00.000Z' });

/** Canonical JSON has no form for a text with half of a character in it. */
function hasCanonicalForm({ envelope }: { envelope: object }): boolean {
  try {
    canonicalJson(envelope);
    return true;
  } catch {
    return false;
  }
}

/** The form of a signed job; what it means is checked by `checkSignedJob`. */
export const signedJobSchema = z
  .strictObject({
    envelope: z.strictObject({
      job: jobSchema as z.ZodType<Job>,
      analyst: memberSchema,
      recipient: z.string().regex(/^[0-9a-f]{2432}$/, 'expected a key in hexadecimal digits'),
      charter: z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits'),
      issued: instant,
      expires: instant,
      nonce: z.string().regex(/^[0-9a-f]{32}$/, 'expected 16 bytes in hexadecimal digits'),
    }),
    signature: z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits'),
  })
  .refine(hasCanonicalForm, { path: ['envelope'], error: 'it has no canonical form' }) as z.ZodType<SignedJob>;

/**
 * A signed job that came as a plain value from elsewhere.
 * @throws InputError UNKNOWN_KEY, BAD_VALUE
 */
export function parseSignedJob(value: unknown): SignedJob {
  return conform(value, signedJobSchema, { name: 'signed job' });
}

/** The 32 bytes that a session is bound to (`Context.job`). */
export function jobIdBytes(envelope: JobEnvelope): Uint8Array {
  return hashJson(envelope);
}

/** The job's id: 64 hexadecimal digits. */
export function jobId(envelope: JobEnvelope): string {
  return toHex(jobIdBytes(envelope));
}

/** The envelope with the analyst's signature. */
export function signJob(envelope: JobEnvelope, sign: Sign): SignedJob {
  return { envelope, signature: toHex(sign('folkmoot job v1', jobIdBytes(envelope))) };
}

/**
 * A signed job is the analyst's own, for this charter, and now is its time. Every node checks it by itself.
 * @throws PolicyError UNKNOWN_ANALYST, BAD_SIGNATURE, JOB_EXPIRED, NOT_YET_VALID
 * @throws CharterError CHARTER_MISMATCH
 */
export function checkSignedJob({ envelope, signature }: SignedJob, charter: Charter, nowMs: number): void {
  const analyst = lookUp(charter.analysts, envelope.analyst);
  if (analyst === undefined) throw new PolicyError('UNKNOWN_ANALYST', { detail: envelope.analyst });
  if (analyst.identity === undefined || analyst.recipient === undefined) {
    throw new PolicyError('UNKNOWN_ANALYST', {
      detail: `${envelope.analyst} is listed without keys`,
      remedy: 'have the analyst’s public keys added, and the charter sealed again',
    });
  }
  if (!verify(fromHex(analyst.identity), 'folkmoot job v1', jobIdBytes(envelope), fromHex(signature))) {
    throw new PolicyError('BAD_SIGNATURE', { field: 'signature', detail: `it is not by ${envelope.analyst}` });
  }
  if (envelope.charter !== charterHash(charter)) {
    throw new CharterError('CHARTER_MISMATCH', {
      field: 'charter',
      detail: 'the job was signed under another charter',
    });
  }
  if (envelope.recipient !== analyst.recipient) {
    throw new PolicyError('BAD_SIGNATURE', {
      field: 'recipient',
      detail: 'the answer would be sealed to a key that is not the analyst’s',
      remedy: 'sign the job with the keys that the charter lists',
    });
  }
  const issued = Date.parse(envelope.issued);
  const expires = Date.parse(envelope.expires);
  if (issued > nowMs + clockSkewMs) throw new PolicyError('NOT_YET_VALID', { field: 'issued' });
  if (expires <= issued || expires - issued > jobLifetimeMaxMs) {
    throw new PolicyError('JOB_EXPIRED', {
      field: 'expires',
      detail: 'it must lie after `issued`, and no more than 90 days',
      remedy: 'sign it again with another `expires`',
    });
  }
  if (expires <= nowMs - clockSkewMs) {
    throw new PolicyError('JOB_EXPIRED', {
      field: 'expires',
      remedy: 'submit it again; where it was signed just now, one clock is wrong: set both machines by NTP',
    });
  }
}
