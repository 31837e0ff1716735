/**
 * Which rows count: the `where` of a job, as it is written and as a tree over encoded values.
 *
 * All fields of an object together mean AND, and so do all operators of a field; `any: […]` means OR; `not: {…}` negates.
 * Nulls compare as in SQL (three values): a row counts only where the whole is true. `is_null` sees the raw value; all
 * other operators see what the null rule and the clamp have made of it.
 * @module
 */
import { z } from 'zod';
import { InputError } from '../channel/errors.ts';
import { columnOf, type Dataset, encodeValue, type Value } from './dictionary.ts';

export type { GroupKey } from './group-key.ts';

export type Comparison = 'eq' | 'ne' | 'gt' | 'gte' | 'lt' | 'lte';

export type Condition =
  | { readonly kind: 'true' }
  | {
      readonly kind: 'compare';
      readonly column: string;
      readonly op: Comparison;
      readonly value: bigint;
      /** The year of a date is compared, not the date. */
      readonly transform?: 'year';
    }
  | { readonly kind: 'in'; readonly column: string; readonly values: readonly bigint[] }
  /** The raw value is null, before the null rule. */
  | { readonly kind: 'is_null'; readonly column: string }
  /** The value is not null after the null rule. */
  | { readonly kind: 'present'; readonly column: string }
  | { readonly kind: 'and' | 'or'; readonly of: readonly Condition[] }
  | { readonly kind: 'not'; readonly of: Condition };

/** The tests of one field, as written. */
export interface FieldTest {
  readonly eq?: Value | undefined;
  readonly ne?: Value | undefined;
  readonly gt?: Value | undefined;
  readonly gte?: Value | undefined;
  readonly lt?: Value | undefined;
  readonly lte?: Value | undefined;
  readonly between?: readonly [Value, Value] | undefined;
  readonly in?: readonly Value[] | undefined;
  readonly is_null?: boolean | undefined;
}

/** Fields under their column's name, and `any` and `not`. */
export interface Where {
  readonly [key: string]: FieldTest | Where | readonly Where[];
}

/** A list of more values is a data set of its own, not a question. */
const listLengthMax = 1_000;
/** Nesting beyond this is not readable in a plan. */
const nestingMax = 8;

const valueSchema = z.union([z.number(), z.string().max(200), z.boolean()], {
  error: 'expected a number, a text, true or false',
});

const fieldTestSchema = z
  .strictObject(
    {
      eq: valueSchema.optional(),
      ne: valueSchema.optional(),
      gt: valueSchema.optional(),
      gte: valueSchema.optional(),
      lt: valueSchema.optional(),
      lte: valueSchema.optional(),
      between: z.tuple([valueSchema, valueSchema], { error: 'expected the two ends: [from, to]' }).optional(),
      in: z.array(valueSchema).min(1).max(listLengthMax).optional(),
      is_null: z.boolean().optional(),
    },
    {
      error: (issue) =>
        issue.code === 'invalid_type' ? 'expected an operator with its value, such as { gte: 18 }' : undefined,
    },
  )
  .refine((test) => Object.keys(test).length > 0, 'expected an operator, such as eq, gte or in')
  .meta({ minProperties: 1 });

interface WhereShape {
  readonly any?: readonly Where[] | undefined;
  readonly not?: Where | undefined;
}

const shape: z.ZodType<WhereShape> = z
  .object({
    get any(): z.ZodOptional<z.ZodType<readonly Where[]>> {
      return z.array(whereSchema).min(1).max(listLengthMax).optional();
    },
    get not(): z.ZodOptional<z.ZodType<Where>> {
      return whereSchema.optional();
    },
  })
  .catchall(fieldTestSchema)
  .meta({ id: 'Where' });

export const whereSchema: z.ZodType<Where> = shape as unknown as z.ZodType<Where>;

/** `moved_in` or `year(moved_in)`. */
export function referenceOf(text: string): { column: string; transform: 'value' | 'year' } {
  const year = /^year\((.+)\)$/.exec(text);
  return year === null ? { column: text, transform: 'value' } : { column: year[1]!, transform: 'year' };
}

const operators: readonly Comparison[] = ['eq', 'ne', 'gt', 'gte', 'lt', 'lte'];

/**
 * A written `where` over a dataset's encoded values.
 * @throws InputError UNKNOWN_COLUMN, WRONG_TYPE, BAD_VALUE, naming the field under `at`
 */
export function compileWhere(where: Where | undefined, dataset: Dataset, at = 'where', depth = 0): Condition {
  if (where === undefined) return { kind: 'true' };
  if (depth > nestingMax)
    throw new InputError('BAD_VALUE', { field: at, detail: `it is nested over ${nestingMax} deep` });
  const parts: Condition[] = [];
  // In an order of its own: who carries a signed job may reorder its keys, and all parties must come to the same tree.
  for (const key of Object.keys(where).sort()) {
    const test = where[key]!;
    const field = `${at}.${key}`;
    if (key === 'any') {
      const branches = (test as readonly Where[]).map((branch, index) =>
        compileWhere(branch, dataset, `${field}[${index}]`, depth + 1),
      );
      parts.push(joined('or', branches));
    } else if (key === 'not') {
      parts.push({ kind: 'not', of: compileWhere(test as Where, dataset, field, depth + 1) });
    } else {
      parts.push(...compileField(key, test as FieldTest, dataset, field));
    }
  }
  return joined('and', parts);
}

function joined(kind: 'and' | 'or', parts: readonly Condition[]): Condition {
  if (parts.length === 0) return { kind: 'true' };
  return parts.length === 1 ? parts[0]! : { kind, of: parts };
}

function compileField(key: string, test: FieldTest, dataset: Dataset, field: string): Condition[] {
  const { column: name, transform } = referenceOf(key);
  const column = columnOf(dataset, name, field);
  if (column.type === 'identifier') {
    throw new InputError('WRONG_TYPE', { field, detail: 'an identifier serves only to match people, not to filter' });
  }
  if (transform === 'year' && column.type !== 'date') {
    throw new InputError('WRONG_TYPE', { field, detail: 'year() is for dates' });
  }
  const ordered = column.type !== 'category' && column.type !== 'boolean';
  const encode = (value: Value, path: string): bigint =>
    transform === 'value' ? encodeValue(column, value, path) : yearOf(value, path);
  const compare = (op: Comparison, value: bigint): Condition =>
    transform === 'year'
      ? { kind: 'compare', column: name, op, value, transform }
      : { kind: 'compare', column: name, op, value };

  const parts: Condition[] = [];
  const needOrder = (op: string): void => {
    if (ordered) return;
    throw new InputError('WRONG_TYPE', {
      field: `${field}.${op}`,
      detail: `a ${column.type} has no order; use eq, ne or in`,
    });
  };
  for (const op of operators) {
    const value = test[op];
    if (value === undefined) continue;
    if (op !== 'eq' && op !== 'ne') needOrder(op);
    parts.push(compare(op, encode(value, `${field}.${op}`)));
  }
  if (test.between !== undefined) {
    needOrder('between');
    const [from, to] = test.between.map((value, index) => encode(value, `${field}.between[${index}]`));
    if (from! > to!)
      throw new InputError('BAD_VALUE', { field: `${field}.between`, detail: 'the first is above the second' });
    parts.push(compare('gte', from!), compare('lte', to!));
  }
  if (test.in !== undefined) {
    const values = test.in.map((value, index) => encode(value, `${field}.in[${index}]`));
    const distinct = [...new Set(values)].sort((a, b) => (a < b ? -1 : 1));
    if (transform === 'value') parts.push({ kind: 'in', column: name, values: distinct });
    else
      parts.push(
        joined(
          'or',
          distinct.map((value) => compare('eq', value)),
        ),
      );
  }
  if (test.is_null !== undefined) {
    const raw: Condition = { kind: 'is_null', column: name };
    parts.push(test.is_null ? raw : { kind: 'not', of: raw });
  }
  return parts;
}

function yearOf(value: Value, field: string): bigint {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > 9999) {
    throw new InputError('WRONG_TYPE', { field, detail: 'a year such as 2026 is expected' });
  }
  return BigInt(value);
}

/** The columns that a condition looks at, each once, in the order of their first use. */
export function columnsOf(condition: Condition): string[] {
  switch (condition.kind) {
    case 'true':
      return [];
    case 'and':
    case 'or':
      return [...new Set(condition.of.flatMap(columnsOf))];
    case 'not':
      return columnsOf(condition.of);
    default:
      return [condition.column];
  }
}
