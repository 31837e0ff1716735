/**
 * docs/JOBS.md says what the program does: its examples are jobs, and it leaves nothing out.
 * @module
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { operationNames } from '../src/query/job.ts';
import { compile } from '../src/query/local.ts';
import { checkedJob, jobText } from './consortium.ts';

const document = readFileSync(new URL('../../../docs/JOBS.md', import.meta.url), 'utf8');
const examples = [...document.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text]) => text!);

describe('docs/JOBS.md', () => {
  it('has examples that are jobs, or parts of one', () => {
    expect(examples.length).toBeGreaterThan(12);
    for (const example of examples) {
      const text = example.startsWith('folkmoot:') ? example : jobText(example);
      expect(compile(checkedJob(text)).statistics.length).toBeGreaterThan(0);
    }
  });

  it('shows every measure and every operator in an example', () => {
    const all = examples.join('\n');
    for (const operation of operationNames) expect(all).toMatch(new RegExp(`\\b${operation}\\b`));
    for (const operator of ['eq', 'gte', 'lt', 'between', 'in', 'is_null', 'any', 'not']) {
      expect(all).toMatch(new RegExp(`\\b${operator}:`));
    }
    for (const operator of ['ne', 'gt', 'lte']) expect(document).toContain(`\`${operator}: v\``);
  });
});
