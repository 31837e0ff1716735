/**
 * The description of the HTTP API (OpenAPI 3.1), served at /v1/openapi.json.
 * @module
 */
import { signedJobSchema } from '@folkmoot/core/envelope.js';
import { errorTable } from '@folkmoot/core/errors.js';
import { z } from 'zod';
import { phases } from './lifecycle.ts';

type Json = Readonly<Record<string, unknown>>;

const text = { type: 'string' };
const instant = { type: 'string', format: 'date-time' };
const hex = (bytes: number) => ({ type: 'string', pattern: `^[0-9a-f]{${2 * bytes}}$` });
const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
const object = (properties: Json, optional: readonly string[] = []) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((key) => !optional.includes(key)),
});
const list = (items: Json) => ({ type: 'array', items });

const json = (schema: Json) => ({ content: { 'application/json': { schema } } });
const answer = (description: string, schema: Json) => ({ description, ...json(schema) });
const faults = (...statuses: readonly number[]) =>
  Object.fromEntries(statuses.map((status) => [String(status), answer('An error', ref('Fault'))]));
const jobParameter = { name: 'job', in: 'path', required: true, schema: hex(32), description: 'The id of a job' };
const open: Json = { security: [] };
const helper = {
  type: 'boolean',
  const: true,
  description: 'It brings no records, and deals the correlated randomness',
};

const health = object({
  status: { enum: ['ok', 'failing', 'stopping'] },
  version: text,
  time: instant,
  checks: list(object({ check: text, ok: { type: 'boolean' }, code: text, remedy: text }, ['code', 'remedy'])),
});

const paths: Json = {
  '/v1/health': {
    get: {
      ...open,
      summary: 'What the coordinator is, and who is connected; whether it is well, /health says',
      responses: { 200: answer('It runs', { type: 'object' }) },
    },
  },
  ...Object.fromEntries(
    [
      ['/health', 'Whether its database takes writes and its charter stands'],
      ['/ready', 'The same, for whoever sends it work: 503 from the moment it is told to stop'],
    ].map(([path, summary]) => [
      path,
      {
        get: { ...open, summary, responses: { 200: answer('All is well', health), 503: answer('It is not', health) } },
      },
    ]),
  ),
  '/metrics': {
    get: {
      ...open,
      summary: 'Series for Prometheus',
      responses: { 200: { description: 'Text', content: { 'text/plain': { schema: text } } } },
    },
  },
  '/v1/login/nonce': {
    post: {
      ...open,
      summary: 'Ask for a nonce to sign; it lives a minute and is used once',
      responses: { 200: answer('A nonce', object({ nonce: hex(32), expires: instant })) },
    },
  },
  '/v1/login': {
    post: {
      ...open,
      summary: 'Exchange a nonce, signed with the analyst’s identity key, for a token of one hour',
      requestBody: json(object({ analyst: text, nonce: hex(32), signature: hex(64) })),
      responses: {
        200: answer('A token', object({ token: hex(32), expires: instant })),
        ...faults(400, 401, 413, 422),
      },
    },
  },
  '/v1/jobs': {
    post: {
      summary: 'Submit a signed job; the same job again is the same job',
      parameters: [
        { name: 'Idempotency-Key', in: 'header', schema: hex(32), description: 'The id that the job is meant to have' },
      ],
      requestBody: json(ref('SignedJob')),
      responses: {
        200: answer('It is here already', object({ job: hex(32), state: ref('State') })),
        201: answer('It is taken in', object({ job: hex(32), state: ref('State') })),
        ...faults(400, 401, 403, 409, 413, 422, 429, 503),
      },
    },
    get: {
      summary: 'The analyst’s own jobs, the latest first',
      parameters: [{ name: 'before', in: 'query', schema: instant, description: 'Only jobs submitted before this' }],
      responses: { 200: answer('Jobs', object({ jobs: list(ref('Job')) })), ...faults(401, 422) },
    },
  },
  '/v1/jobs/{job}': {
    get: {
      summary: 'One job',
      parameters: [jobParameter],
      responses: { 200: answer('The job', ref('Job')), ...faults(401, 404) },
    },
  },
  '/v1/jobs/{job}/cancel': {
    post: {
      summary:
        'Take a job back, until all parties have said that they open their shares. Where another coordinator leads it, ' +
        'that one does so within a second or two, and the state may still be an earlier one in the reply',
      parameters: [jobParameter],
      responses: { 200: answer('The job', ref('Job')), ...faults(401, 404, 409) },
    },
  },
  '/v1/jobs/{job}/events': {
    get: {
      summary: 'What happens to a job, as server-sent events, until it ends',
      parameters: [
        jobParameter,
        {
          name: 'Last-Event-ID',
          in: 'header',
          schema: { type: 'integer', minimum: 0 },
          description: 'Go on after this event',
        },
      ],
      responses: {
        200: { description: 'Events', content: { 'text/event-stream': { schema: ref('Event') } } },
        ...faults(401, 404, 422, 429),
      },
    },
  },
  '/v1/budget': {
    post: {
      summary: 'What is left of the budgets of every party, each by its own signed statement',
      requestBody: json(
        object({
          request: object({
            analyst: text,
            charter: hex(32),
            issued: instant,
            nonce: hex(16),
          }),
          signature: hex(64),
        }),
      ),
      responses: {
        200: answer('Statements', object({ statements: list({ type: 'object' }), missing: list(text) })),
        ...faults(400, 401, 403, 413, 422, 429),
      },
    },
  },
  '/v1/jobs/{job}/answer': {
    get: {
      summary: 'The sealed answer: only the analyst’s own key opens it',
      parameters: [jobParameter],
      responses: { 200: answer('The envelope', ref('Answer')), ...faults(401, 404, 409) },
    },
  },
};

const codes = Object.values(errorTable).flatMap((layer) => Object.keys(layer));
const schemas: Json = {
  Fault: object({ error: ref('Report') }),
  Report: object({ code: { type: 'string', enum: codes }, message: text, remedy: text, field: text, party: text }, [
    'field',
    'party',
  ]),
  State: { type: 'string', enum: phases },
  SignedJob: z.toJSONSchema(signedJobSchema, { io: 'input', unrepresentable: 'any' }),
  Job: object(
    {
      job: hex(32),
      title: text,
      state: ref('State'),
      attempt: { type: 'integer' },
      submitted: instant,
      updated: instant,
      expires: instant,
      parties: list(
        object(
          {
            party: text,
            helper,
            connected: { type: 'boolean' },
            verdict: { enum: ['awaiting', 'accepted', 'denied', 'failed', 'opened'] },
            report: ref('Report'),
          },
          ['helper', 'verdict', 'report'],
        ),
      ),
      error: ref('Report'),
      setbacks: { ...list(ref('Report')), description: 'Why each of the attempts before this one failed' },
      same_as: { ...hex(32), description: 'The earlier job of the same question, whose answer is this one’s too' },
    },
    ['error', 'setbacks', 'same_as'],
  ),
  Event: object(
    {
      sequence: { type: 'integer' },
      at: instant,
      type: { enum: ['state', 'party', 'phase', 'progress'] },
      attempt: { type: 'integer' },
      state: ref('State'),
      party: text,
      helper,
      did: { enum: ['awaiting', 'accepted', 'denied', 'failed', 'opened'] },
      phase: text,
      done: {
        type: 'number',
        minimum: 0,
        maximum: 1,
        description: 'Of progress: the part of the phase that the slowest party has done. Such events are not kept',
      },
      error: ref('Report'),
      setback: ref('Report'),
      same_as: hex(32),
      report: ref('Report'),
    },
    ['sequence', 'state', 'party', 'helper', 'did', 'phase', 'done', 'error', 'setback', 'same_as', 'report'],
  ),
  Answer: object(
    {
      job: hex(32),
      attempt: { type: 'integer' },
      signed: ref('SignedJob'),
      acceptances: list({ type: 'object' }),
      asked: object({ signed: ref('SignedJob'), acceptances: list({ type: 'object' }) }),
      openings: list(
        object({
          party: text,
          commitments: { type: 'object', additionalProperties: hex(32) },
          signatures: { type: 'object', additionalProperties: hex(64) },
          sealed: { type: 'string', contentEncoding: 'base64' },
        }),
      ),
    },
    ['asked'],
  ),
};

export function openApi(version: string): Json {
  return {
    openapi: '3.1.0',
    info: { title: 'Folkmoot coordinator', version, license: { name: 'Apache-2.0', identifier: 'Apache-2.0' } },
    security: [{ token: [] }],
    paths,
    components: { schemas, securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
  };
}
