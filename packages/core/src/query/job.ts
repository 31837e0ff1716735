/**
 * A job: the question an analyst puts, as YAML or JSON. Form only; what it means for a charter is in check-job.ts.
 *
 * The value that is parsed is exactly the value that is signed: no default is filled in here, so a job's canonical JSON
 * and its hash are those of what the analyst wrote.
 * @module
 */
import { z } from 'zod';
import { type Where, whereSchema } from './condition.ts';
import { numericSchema } from './dictionary.ts';
import { parseDocument } from './document.ts';
import { columnRefSchema, groupRefSchema, memberSchema, nameSchema } from './name.ts';
import { roundSchema } from './strictness.ts';

export { type CheckedJob, checkJob } from './check-job.ts';

/** More measures than any table is read with. */
const measuresMax = 100;
/** Edges of a histogram or a declared-bin median; the number of cells is bounded on its own. */
const edgesMax = 10_001;
/** Up to three keys (DESIGN: declared columns); more are never readable and soon exceed the cells. */
const groupKeysMax = 3;
const regressorsMax = 20;
/** More conditions are no question that a reader of the plan could follow. */
const havingMax = 20;
/** More winners are the table itself. */
const topMax = 20;

/** A number, or the digits of one that no double holds. */
export type Numeric = number | string;

export type Bins = readonly Numeric[] | { readonly from: Numeric; readonly to: Numeric; readonly width: Numeric };

export type Measure =
  | 'count'
  | { readonly count: { readonly where: Where } }
  | { readonly sum: string }
  | { readonly mean: string }
  | { readonly variance: string }
  | { readonly stddev: string }
  | { readonly covariance: readonly [string, string] }
  | { readonly correlation: readonly [string, string] }
  | { readonly regression: { readonly y: string; readonly x: readonly string[] } }
  | { readonly ratio: { readonly numerator: string; readonly denominator: string } | readonly [string, string] }
  | { readonly histogram: { readonly of: string; readonly bins: Bins } }
  | { readonly median: { readonly of: string; readonly bins: Bins } }
  | { readonly quantile: { readonly of: string; readonly q: Numeric; readonly bins: Bins } }
  | {
      readonly t_test: {
        readonly of: string;
        readonly by: string;
        readonly levels?: readonly [string, string] | undefined;
      };
    }
  | { readonly chi_square: readonly [string, string] };

export const operationNames = [
  'count',
  'sum',
  'mean',
  'variance',
  'stddev',
  'covariance',
  'correlation',
  'regression',
  'ratio',
  'histogram',
  'median',
  'quantile',
  't_test',
  'chi_square',
] as const;
export type Operation = (typeof operationNames)[number];

const pair = z.tuple([columnRefSchema, columnRefSchema], { error: 'expected two columns: [a, b]' });
const binRange = z.strictObject({ from: numericSchema, to: numericSchema, width: numericSchema });
const bins = z.union([z.array(numericSchema).max(edgesMax), binRange], {
  error: 'expected edges such as [0, 10, 20], or { from, to, width }',
});

const measureObject = z
  .strictObject({
    count: z.strictObject({ where: whereSchema }).optional(),
    sum: columnRefSchema.optional(),
    mean: columnRefSchema.optional(),
    variance: columnRefSchema.optional(),
    stddev: columnRefSchema.optional(),
    covariance: pair.optional(),
    correlation: pair.optional(),
    regression: z
      .strictObject({ y: columnRefSchema, x: z.array(columnRefSchema).min(1).max(regressorsMax) })
      .optional(),
    ratio: z
      .union([z.strictObject({ numerator: columnRefSchema, denominator: columnRefSchema }), pair], {
        error: 'expected { numerator, denominator }, or two columns: [a, b]',
      })
      .optional(),
    histogram: z.strictObject({ of: columnRefSchema, bins }).optional(),
    median: z.strictObject({ of: columnRefSchema, bins }).optional(),
    quantile: z.strictObject({ of: columnRefSchema, q: numericSchema, bins }).optional(),
    t_test: z
      .strictObject({ of: columnRefSchema, by: columnRefSchema, levels: z.tuple([z.string(), z.string()]).optional() })
      .optional(),
    chi_square: pair.optional(),
  })
  .refine((measure) => Object.keys(measure).length === 1, 'expected exactly one operation, such as { mean: arrears }')
  .meta({ minProperties: 1, maxProperties: 1 });

const measureSchema = z
  .union([z.literal('count'), measureObject], {
    error: 'expected `count`, or an operation such as { mean: arrears }',
  })
  .meta({ id: 'Measure' }) as unknown as z.ZodType<Measure>;

const side = z.strictObject({ party: memberSchema, dataset: nameSchema });

const comparisons = ['gt', 'gte', 'lt', 'lte', 'between'] as const;

const havingTest = z
  .strictObject(
    {
      of: measureSchema.optional(),
      gt: numericSchema.optional(),
      gte: numericSchema.optional(),
      lt: numericSchema.optional(),
      lte: numericSchema.optional(),
      between: z.tuple([numericSchema, numericSchema], { error: 'expected the two ends: [from, to]' }).optional(),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' ? 'expected a comparison with its number, such as { gte: 50 }' : undefined,
    },
  )
  .refine((test) => comparisons.some((key) => test[key] !== undefined), 'expected a comparison, such as { gte: 50 }')
  .meta({ anyOf: comparisons.map((key) => ({ required: [key] })) });

/** What one figure of a group is held against, as written. */
export type HavingTest = Readonly<z.infer<typeof havingTest>>;

export const jobSchema = z
  .strictObject({
    folkmoot: z.literal(1, { error: 'expected 1, the version of the format' }),
    // It stands in every plan on every data owner's terminal: nothing in it may move a cursor or turn the direction.
    title: z
      .string()
      .max(200)
      .regex(/^[^\p{Cc}\u2028-\u202e\u2066-\u2069]*$/u, 'a title has no control characters')
      .optional(),
    purpose: nameSchema,
    from: nameSchema.optional(),
    join: z.strictObject({ left: side, right: side, on: nameSchema }).optional(),
    parties: z.array(memberSchema).min(1).max(1_000).optional(),
    where: whereSchema.optional(),
    group_by: z.array(groupRefSchema).max(groupKeysMax).optional(),
    measures: z
      .record(nameSchema, measureSchema)
      .refine((measures) => Object.keys(measures).length > 0, 'expected at least one measure')
      .refine((measures) => Object.keys(measures).length <= measuresMax, `expected at most ${measuresMax} measures`),
    min_group: z.int().min(1).max(1_000_000_000).optional(),
    privacy: z
      .strictObject({
        epsilon: numericSchema.optional(),
        rho: numericSchema.optional(),
        delta: numericSchema.optional(),
        mechanism: z.enum(['laplace', 'gaussian', 'auto']).optional(),
        collusion: z.int().min(0).optional(),
        split: z.record(nameSchema, numericSchema).optional(),
      })
      // For editors; that a job spends one of the two is checked with a text of its own in privacy-terms.ts.
      .meta({ oneOf: [{ required: ['epsilon'] }, { required: ['rho'] }] })
      .optional(),
    join_helper: memberSchema.optional(),
    reveal: z.literal('matches', { error: 'expected `matches`' }).optional(),
    having: z
      .record(nameSchema, havingTest)
      .refine((having) => Object.keys(having).length > 0, 'expected at least one condition')
      .refine((having) => Object.keys(having).length <= havingMax, `expected at most ${havingMax} conditions`)
      .optional(),
    top: z
      .strictObject(
        { by: nameSchema, count: z.int().min(1).max(topMax) },
        {
          error: (issue) =>
            issue.code === 'invalid_type'
              ? 'expected a measure and a number, such as { by: total, count: 5 }'
              : undefined,
        },
      )
      .optional(),
    open: z.literal('ratio', { error: 'expected `ratio`' }).optional(),
    round: roundSchema.optional(),
    total: z.boolean().optional(),
  })
  .refine((job) => (job.from === undefined) !== (job.join === undefined), {
    error: 'expected either `from` (pooled rows) or `join`',
    path: ['from'],
  })
  .meta({ oneOf: [{ required: ['from'] }, { required: ['join'] }] });

/** A job as it was written. */
export type Job = Readonly<Omit<z.infer<typeof jobSchema>, 'measures'>> & {
  readonly measures: Readonly<Record<string, Measure>>;
};

/**
 * A job from its text (YAML or JSON).
 * @throws InputError BAD_SYNTAX, DUPLICATE_KEY, UNKNOWN_KEY, BAD_VALUE, with line and column
 */
export function parseJob(text: string, name: string): Job {
  return parseDocument(text, jobSchema as z.ZodType<Job>, { name });
}

/** The JSON Schema of a job, as docs/job.schema.json publishes it. */
export function jobJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(jobSchema, { target: 'draft-2020-12', io: 'input' }) as Record<string, unknown>;
  return { $schema: schema.$schema, $id: 'urn:folkmoot:job:1', title: 'Folkmoot job', ...schema };
}
