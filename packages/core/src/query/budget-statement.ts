/**
 * What is left of a party's budgets, told to one analyst: a signed request, and each party's signed statement.
 *
 * The coordinator passes both on. It can withhold them, and cannot ask in another's name, keep a statement for later, or
 * change a figure: the request is the analyst's own and of this moment, and the statement names the request.
 * @module
 */
import { z } from 'zod';
import { fromHex, toHex } from '../algebra/bytes.ts';
import { hashJson } from '../algebra/hash.ts';
import { PolicyError, ProtocolError } from '../channel/errors.ts';
import { periodSchema } from './acceptance.ts';
import { type Charter, charterHash } from './charter.ts';
import { conform } from './document.ts';
import { clockSkewMs } from './envelope.ts';
import { type Sign, verify } from './identity.ts';
import { lookUp, memberSchema, nameSchema } from './name.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/, 'expected a hash in hexadecimal digits');
const signature = z.string().regex(/^[0-9a-f]{128}$/, 'expected a signature in hexadecimal digits');
const decimal = z.string().regex(/^(0|[1-9]\d{0,20})(\.\d{1,12})?$/, 'expected a decimal number');

const signedRequestSchema = z.strictObject({
  request: z.strictObject({
    analyst: memberSchema,
    charter: hash,
    issued: z.iso.datetime(),
    nonce: z.string().regex(/^[0-9a-f]{32}$/, 'expected 16 bytes in hexadecimal digits'),
  }),
  signature,
});

/** Decimal texts, so that nothing is rounded: `amount` of ε or ρ, and the δ beside an ε. */
const figureSchema = z.strictObject({ amount: decimal, delta: decimal });
const accountSchema = z.strictObject({
  initial: figureSchema,
  spent: figureSchema,
  reserved: figureSchema,
  remaining: figureSchema,
});

/** Jobs of one analyst that a statement lists, the latest; figures count all of them. */
export const statedJobsMax = 200;

const signedStatementSchema = z.strictObject({
  statement: z.strictObject({
    party: memberSchema,
    /** The hash of the request that is answered. */
    request: hash,
    /** By the party's clock. */
    at: z.iso.datetime(),
    datasets: z
      .array(
        z.strictObject({
          dataset: nameSchema,
          period: periodSchema,
          unit: z.enum(['epsilon', 'rho']),
          /** Over all analysts. */
          total: accountSchema,
          /** The asking analyst's own; null where only the total bounds them. */
          own: accountSchema.nullable(),
          /** A rule also allows exact jobs: the budget bounds the protected answers only. */
          exact_too: z.boolean(),
        }),
      )
      .max(1_000),
    /** What the asking analyst was charged for, the latest first. */
    jobs: z
      .array(
        z.strictObject({
          job: hash,
          dataset: nameSchema,
          period: periodSchema,
          unit: z.enum(['epsilon', 'rho']),
          cost: figureSchema,
          at: z.iso.datetime(),
        }),
      )
      .max(statedJobsMax),
  }),
  signature,
});

export type SignedBudgetRequest = z.infer<typeof signedRequestSchema>;
export type BudgetRequest = SignedBudgetRequest['request'];
export type SignedBudgetStatement = z.infer<typeof signedStatementSchema>;
export type BudgetStatement = SignedBudgetStatement['statement'];
export type StatedBudget = BudgetStatement['datasets'][number];
export type BudgetAccount = StatedBudget['total'];
export type BudgetFigure = BudgetAccount['spent'];

/** What a statement answers: 64 hexadecimal digits. */
export function requestHash(request: BudgetRequest): string {
  return toHex(hashJson(request));
}

export function signBudgetRequest(request: BudgetRequest, sign: Sign): SignedBudgetRequest {
  return { request, signature: toHex(sign('folkmoot budget request v1', hashJson(request))) };
}

/**
 * A request as it came from elsewhere: the analyst's own, under this charter, and of now.
 * @throws InputError for its form; PolicyError UNKNOWN_ANALYST, BAD_SIGNATURE, JOB_EXPIRED, NOT_YET_VALID
 */
export function checkBudgetRequest(given: unknown, charter: Charter, nowMs: number): SignedBudgetRequest {
  const signed = conform(given, signedRequestSchema, { name: 'budget request' });
  const { request } = signed;
  const identity = lookUp(charter.analysts, request.analyst)?.identity;
  if (identity === undefined) throw new PolicyError('UNKNOWN_ANALYST', { detail: request.analyst });
  const isOwn = verify(fromHex(identity), 'folkmoot budget request v1', hashJson(request), fromHex(signed.signature));
  if (!isOwn || request.charter !== charterHash(charter))
    throw new PolicyError('BAD_SIGNATURE', { field: 'signature' });
  const issuedMs = Date.parse(request.issued);
  if (issuedMs > nowMs + clockSkewMs) throw new PolicyError('NOT_YET_VALID', { field: 'issued' });
  if (issuedMs < nowMs - clockSkewMs) throw new PolicyError('JOB_EXPIRED', { field: 'issued' });
  return signed;
}

export function signBudgetStatement(statement: BudgetStatement, sign: Sign): SignedBudgetStatement {
  return { statement, signature: toHex(sign('folkmoot budget statement v1', hashJson(statement))) };
}

/**
 * A statement as it came from elsewhere: that party's own word, in answer to this request.
 * @throws InputError for its form; ProtocolError BAD_STATEMENT, naming the party
 */
export function checkBudgetStatement(given: unknown, charter: Charter, request: BudgetRequest): BudgetStatement {
  const { statement, signature: by } = conform(given, signedStatementSchema, { name: 'budget statement' });
  const { party } = statement;
  const identity = lookUp(charter.parties, party)?.identity;
  const isOwn =
    identity !== undefined &&
    verify(fromHex(identity), 'folkmoot budget statement v1', hashJson(statement), fromHex(by));
  if (!isOwn) throw new ProtocolError('BAD_STATEMENT', { party, detail: 'the signature does not fit' });
  if (statement.request !== requestHash(request)) {
    throw new ProtocolError('BAD_STATEMENT', { party, detail: 'it answers another request' });
  }
  return statement;
}
