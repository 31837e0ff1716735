import { InputError, SourceError } from '@folkmoot/core/errors.js';
import { describe, expect, it } from 'vitest';
import { Computation } from '../src/computation.ts';
import { failureOf } from '../src/failure.ts';
import type { JobEvent } from '../src/lifecycle.ts';
import type { Assignment } from '../src/worker.ts';

const send = async () => undefined;
const start = (assignment: unknown, onEvent: (event: JobEvent) => void) => {
  let ended = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const given = assignment as Omit<Assignment, 'frames'>;
  const onJoin = () => undefined;
  const computation = new Computation({
    assignment: given,
    send,
    onEvent,
    onJoin,
    onEnd: ended,
  });
  return { computation, end };
};

describe('a computation', () => {
  it('that breaks in a way nobody foresaw has failed with INTERNAL, and what it quotes is not passed on', async () => {
    const words: JobEvent[] = [];
    const broken = { party: 'a', attempt: 1, signed: { envelope: { analyst: 'secret-4321' } }, charter: {} };
    await start(broken, (word) => words.push(word)).end;
    expect(words).toMatchObject([{ event: 'failed', attempt: 1, report: { code: 'INTERNAL' } }]);
    expect(JSON.stringify(words)).not.toContain('4321');
    expect(words[0]).toMatchObject({ detail: expect.stringContaining('TypeError at ') });
  });

  it('whose thread dies without a word has CRASHED', async () => {
    const words: JobEvent[] = [];
    process.once('worker', (thread) => void thread.terminate());
    await start({ party: 'a', attempt: 1 }, (word) => words.push(word)).end;
    expect(words).toMatchObject([{ event: 'failed', attempt: 1, report: { code: 'CRASHED', party: 'a' } }]);
  });

  it('is not heard any more once it is stopped', async () => {
    const words: JobEvent[] = [];
    const { computation, end } = start({ party: 'a', attempt: 1 }, (word) => words.push(word));
    await computation.stop();
    await end;
    expect(words).toEqual([]);
  });
});

describe('a failure', () => {
  it('of a source is a code for others, and the whole text for its owner', () => {
    const { report, own, detail } = failureOf(
      new SourceError('SOURCE_VALUE', { field: 'arrears', detail: 'line 7' }),
      'a',
    );
    expect(report).toMatchObject({ code: 'SOURCE_VALUE', party: 'a' });
    expect(report.field).toBeUndefined();
    expect(JSON.stringify(report)).not.toMatch(/arrears|line 7/);
    expect(own.field).toBe('arrears');
    expect(detail).toContain('line 7');
  });

  it('of a document is the same text for all', () => {
    const { report, detail } = failureOf(new InputError('UNKNOWN_COLUMN', { field: 'where.x' }), 'a');
    expect(report).toMatchObject({ code: 'UNKNOWN_COLUMN', field: 'where.x' });
    expect(detail).toBe(report.message);
  });

  it('that is not ours keeps its text to itself', () => {
    for (const error of [new Error('row 4321'), 'row 4321', { message: 'row 4321' }]) {
      const failure = failureOf(error, 'a');
      expect(failure.report.code).toBe('INTERNAL');
      expect(JSON.stringify(failure)).not.toContain('4321');
    }
  });
});
