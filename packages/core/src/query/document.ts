/**
 * A YAML or JSON document, read into plain values against a schema; every fault is named by field, line and column.
 *
 * YAML is version 1.2 with the core schema (`no` is a word, `1950-01-01` is a text). A number is kept as a JavaScript
 * number only where that number prints as the very decimal that was written; otherwise (an integer above 2^53, more
 * digits than a double has) it stays a text of its digits, so that nothing is rounded on the way and the canonical JSON
 * of a document is stable. Numbers that are not decimal (`0x10`, `.inf`) are refused.
 *
 * Size, nesting and the number of values after aliases are bounded, so that no document of 1 MiB is costly to read.
 * @module
 */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument as parseYaml,
  type Scalar,
} from 'yaml';
import type { z } from 'zod';
import { InputError } from '../channel/errors.ts';

/** A sealed charter with a hundred members and thousands of category values stays well below this. */
const textLengthMax = 1 << 20;
/** The deepest document of ours (a job with nested conditions) needs a dozen levels. */
const depthMax = 40;
/** Values after aliases are expanded: a full document of 1 MiB has fewer, a bomb has more. */
const valuesMax = 200_000;

export type Plain = null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };
type Path = readonly PropertyKey[];

/** Where each value, and the key before it, starts in the text. */
interface Place {
  readonly key: number;
  readonly value: number;
}

interface Read {
  readonly value: Plain;
  locate(path: Path, part: keyof Place): { line: number; column: number };
}

/** `measures.fit.regression.x[1]` */
export function fieldOf(path: Path): string | undefined {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text === '' ? undefined : text;
}

/** The plain decimal of a finite number: exactly what the number prints as, without an exponent. */
export function decimalText(value: number): string {
  const [mantissa = '', exponent] = String(value).split('e');
  return exponent === undefined ? mantissa : shifted(mantissa, Number(exponent));
}

/** `-1.5` shifted by 3 is `-1500`. */
function shifted(mantissa: string, by: number): string {
  const sign = mantissa.startsWith('-') ? '-' : '';
  const [whole = '', fraction = ''] = mantissa.replace(/^[-+]/, '').split('.');
  const digits = whole + fraction;
  const point = whole.length + by;
  const padded = point <= 0 ? '0'.repeat(1 - point) + digits : digits.padEnd(point, '0');
  const at = point <= 0 ? 1 : point;
  return sign + normal(padded.slice(0, at), padded.slice(at));
}

/** Without needless zeros. */
function normal(whole: string, fraction: string): string {
  const left = whole.replace(/^0+(?=\d)/, '') || '0';
  const right = fraction.replace(/0+$/, '');
  return right === '' ? left : `${left}.${right}`;
}

const numberForm = /^[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,2})?$/;

/** A written number: itself where a double holds it exactly as written, else its digits. */
function exactNumber(source: string): number | string {
  const [mantissa = '', exponent = '0'] = source.toLowerCase().split('e');
  const unsigned = shifted(mantissa.replace(/^[-+]/, ''), Number(exponent));
  const text = mantissa.startsWith('-') && /[1-9]/.test(unsigned) ? `-${unsigned}` : unsigned;
  const value = Number(text);
  return Number.isFinite(value) && decimalText(value) === text ? value : text;
}

function read(text: string, name: string): Read {
  const lines = new LineCounter();
  const placeOf = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const refuse = (
    code: 'BAD_SYNTAX' | 'DUPLICATE_KEY' | 'UNKNOWN_KEY' | 'BAD_VALUE',
    detail: string,
    offset: number,
    path: Path = [],
  ) => new InputError(code, { field: fieldOf(path) ?? name, detail: `${detail}, in ${name}`, ...placeOf(offset) });

  if (text.length > textLengthMax) throw refuse('BAD_SYNTAX', 'the document is over 1 MiB', 0);
  let document: ReturnType<typeof parseYaml>;
  try {
    // Duplicate keys are sought below: the library compares each key with every other, which is slow on purpose-made maps.
    document = parseYaml(text, {
      version: '1.2',
      schema: 'core',
      uniqueKeys: false,
      prettyErrors: false,
      lineCounter: lines,
      logLevel: 'error',
    });
  } catch {
    throw refuse('BAD_SYNTAX', 'the document is nested too deeply', 0);
  }
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) throw refuse('BAD_SYNTAX', fault.message.split('\n')[0]!, fault.pos[0]);

  const places = new Map<string, Place>();
  let values = 0;
  // An alias means the last anchor of its name before it. The library's own look-up walks the whole document each time.
  const anchors = new Map<string, Node>();
  let expanding = 0;
  const start = (node: Node | null): number => node?.range?.[0] ?? 0;

  const convert = (node: Node | null, path: Path, keyOffset: number): Plain => {
    places.set(JSON.stringify(path), { key: keyOffset, value: node === null ? keyOffset : start(node) });
    values += 1;
    if (values > valuesMax) throw refuse('BAD_SYNTAX', 'the document has too many values', keyOffset, path);
    if (path.length > depthMax) throw refuse('BAD_SYNTAX', 'the document is nested too deeply', keyOffset, path);
    if (isAlias(node)) return convertAlias(node.source, path, keyOffset);
    if (node?.anchor !== undefined && expanding === 0) anchors.set(node.anchor, node);
    if (isMap(node)) return convertMap(node.items as Pair<Node, Node | null>[], path);
    if (isSeq(node)) {
      return (node.items as Node[]).map((item, index) => convert(item, [...path, index], start(item)));
    }
    return isScalar(node) ? convertScalar(node, path, keyOffset) : null;
  };

  const convertAlias = (anchor: string, path: Path, offset: number): Plain => {
    const node = anchors.get(anchor);
    if (node === undefined) throw refuse('BAD_SYNTAX', 'an alias names no anchor before it', offset, path);
    expanding += 1;
    const value = convert(node, path, offset);
    expanding -= 1;
    return value;
  };

  const convertMap = (items: readonly Pair<Node, Node | null>[], path: Path): Plain => {
    const result: Record<string, Plain> = {};
    for (const { key, value } of items) {
      const offset = start(key);
      const scalar = isAlias(key) ? undefined : key;
      if (!isScalar(scalar)) throw refuse('BAD_SYNTAX', 'a key must be a plain word', offset, path);
      const word = typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value));
      if (Object.hasOwn(result, word))
        throw refuse('DUPLICATE_KEY', 'it stands here a second time', offset, [...path, word]);
      // An object cannot hold this key as one of its own by assignment; no document of ours has it.
      if (word === '__proto__') throw refuse('UNKNOWN_KEY', 'this name is reserved', offset, [...path, word]);
      result[word] = convert(value, [...path, word], offset);
    }
    return result;
  };

  const convertScalar = (node: Scalar, path: Path, offset: number): Plain => {
    const { value, source } = node;
    if (typeof value === 'string' && !value.isWellFormed()) {
      throw refuse('BAD_VALUE', 'a text has half of a character', node.range?.[0] ?? offset, path);
    }
    if (typeof value !== 'number' && typeof value !== 'bigint') return value as Plain;
    if (!numberForm.test(source ?? '')) {
      throw refuse('BAD_VALUE', 'a number is written in decimal digits', node.range?.[0] ?? offset, path);
    }
    return exactNumber(source!);
  };

  const value = convert(document.contents as Node | null, [], 0);
  return {
    value,
    locate(path, part) {
      for (let length = path.length; length >= 0; length -= 1) {
        const place = places.get(JSON.stringify(path.slice(0, length)));
        if (place !== undefined) return placeOf(place[part]);
      }
      return { line: 1, column: 1 };
    },
  };
}

type Issue = z.core.$ZodIssue;

/** The issue that says most: a union reports every branch, and the one that got furthest is the one that was meant. */
function telling(issues: readonly Issue[], base: Path = []): { issue: Issue; path: Path } {
  const reach = ({ issue, path }: { issue: Issue; path: Path }) =>
    path.length * 2 + (issue.code === 'unrecognized_keys' ? 1 : 0);
  const candidates = issues.map((issue) => {
    const path = [...base, ...issue.path];
    if (issue.code !== 'invalid_union') return { issue, path };
    const branches = issue.errors
      .filter((errors) => errors.length > 0)
      .map((errors) => telling(errors as Issue[], path));
    const best = branches.sort((a, b) => reach(b) - reach(a))[0];
    return best !== undefined && reach(best) > path.length * 2 ? best : { issue, path };
  });
  return candidates.find(({ issue }) => issue.code === 'unrecognized_keys') ?? candidates[0]!;
}

/** What YAML's kinds of values are to people. */
const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'keys with values',
  record: 'keys with values',
  null: 'nothing',
  undefined: 'nothing',
};

/** Zod's words, in the house's manner: a small letter, no full stop, never the value that was given. */
function wordsOf(issue: Issue): string {
  const inner = issue.code === 'invalid_key' ? issue.issues[0]?.message : undefined;
  const text = (inner ?? issue.message)
    .replace(/^Invalid (input|option): /, '')
    .replace(/expected (\w+), received (\w+)$/, (_, expected: string, received: string) => {
      const found = kinds[received] ?? received;
      return `expected ${kinds[expected] ?? expected}${found === 'nothing' ? ', and it is missing' : `, and it is ${found}`}`;
    });
  return text.charAt(0).toLowerCase() + text.slice(1);
}

/**
 * A plain value (from a message, say) checked against a schema.
 * @throws InputError UNKNOWN_KEY, BAD_VALUE
 */
export function conform<T>(
  value: unknown,
  schema: z.ZodType<T>,
  options: { name: string; locate?: Read['locate'] },
): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issue, path } = telling(result.error.issues);
  if (issue.code === 'unrecognized_keys') {
    const whole = [...path, issue.keys[0]!];
    throw new InputError('UNKNOWN_KEY', {
      field: fieldOf(whole),
      detail: options.locate && `in ${options.name}`,
      ...options.locate?.(whole, 'key'),
    });
  }
  throw new InputError('BAD_VALUE', {
    field: fieldOf(path) ?? options.name,
    detail: options.locate === undefined ? wordsOf(issue) : `${wordsOf(issue)}, in ${options.name}`,
    ...options.locate?.(path, issue.code === 'invalid_key' ? 'key' : 'value'),
  });
}

/**
 * A document's text, as a value of the schema. `name` stands in errors that concern the document as a whole.
 * @throws InputError BAD_SYNTAX, DUPLICATE_KEY, UNKNOWN_KEY, BAD_VALUE, with line and column
 */
export function parseDocument<T>(text: string, schema: z.ZodType<T>, options: { name: string }): T {
  const { value, locate } = read(text, options.name);
  return conform(value, schema, { ...options, locate });
}
