import { describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { AttemptProgress } from '../src/progress.ts';

/** Whether those who watch were told of each word, heard one after the other at an easy pace. */
function heard(progress: AttemptProgress, words: readonly (readonly [string, string, number?])[], stepMs = 1_000) {
  return words.map(([party, phase, done], index) => progress.heard(party, phase, done, index * stepMs));
}

describe('the progress of an attempt', () => {
  it('is that of the slowest party', () => {
    const progress = new AttemptProgress(2, ['ant', 'bee']);
    heard(progress, [['ant', 'share', 0.9]]);
    expect(progress.slowest()).toBeUndefined();
    heard(progress, [
      ['ant', 'share'],
      ['bee', 'share'],
      ['ant', 'match'],
      ['ant', 'match', 0.4],
    ]);
    expect(progress.slowest()).toBeUndefined();
    heard(progress, [['bee', 'match', 0.1]]);
    expect(progress.slowest()).toEqual({ attempt: 2, phase: 'match', done: 0.1 });
    heard(progress, [['bee', 'evaluate', 0.9]]);
    expect(progress.slowest()).toEqual({ attempt: 2, phase: 'match', done: 0.4 });
  });

  it('is told when it has changed, and four times a second at most', () => {
    const progress = new AttemptProgress(1, ['ant']);
    const words = [
      ['ant', 'match', 0.1],
      ['ant', 'match', 0.1],
      ['ant', 'match', 0.2],
      ['ant', 'match', 0.3],
    ] as const;
    expect(heard(progress, words)).toEqual([true, false, true, true]);
    expect(heard(new AttemptProgress(1, ['ant']), words, limits.progressMs / 2)).toEqual([true, false, true, false]);
  });

  it('does not keep more names of phases than a run can have', () => {
    const progress = new AttemptProgress(1, ['ant']);
    const names = Array.from(
      { length: limits.phasesPerAttempt },
      (_, index) => ['ant', `phase ${index}`, 0.5] as const,
    );
    heard(progress, names);
    expect(progress.heard('ant', 'one more', 0.5, 1e9)).toBe(false);
    expect(progress.slowest()?.phase).toBe(names.at(-1)![1]);
  });
});
