import { describe, expect, it } from 'vitest';
import { paced, paceMs } from '../src/progress.ts';

function told(words: readonly (readonly [ms: number, phase: string, done?: number])[]): unknown[][] {
  let nowMs = 0;
  const heard: unknown[][] = [];
  const tell = paced(
    (...word) => void heard.push(word),
    () => nowMs,
  );
  for (const [ms, phase, done] of words) {
    nowMs = ms;
    tell(phase, done);
  }
  return heard;
}

describe('what a computation says of its progress', () => {
  it('tells each phase at once, and of the work within it four times a second', () => {
    const often = Array.from({ length: 1_000 }, (_, ms) => [ms, 'match', ms / 1_000] as const);
    const heard = told([[0, 'query'], [0, 'match'], ...often, [1_000, 'evaluate', 0.1]]);
    expect(heard).toEqual([['query'], ['match'], ['match', 0.25], ['match', 0.5], ['match', 0.75], ['evaluate']]);
  });

  it('begins a phase that is first heard of within it', () => {
    expect(told([[0, 'match', 0.5]])).toEqual([['match']]);
  });

  it('passes on no part that is none', () => {
    const late = (done: number) =>
      told([
        [0, 'match'],
        [paceMs, 'match', done],
      ]).slice(1);
    expect([late(Number.NaN), late(-1), late(1.5), late(0)]).toEqual([[], [], [['match', 1]], [['match', 0]]]);
  });
});
