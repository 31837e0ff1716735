import { describe, expect, it } from 'vitest';
import { phaseInWords, TimeLeft } from '../src/time-left.ts';

/** What is said after each of these, by seconds since the start and the part that is done. */
function said(heard: readonly (readonly [seconds: number, done: number, phase?: string, attempt?: number])[]) {
  const left = new TimeLeft();
  return heard.map(([seconds, done, phase = 'match', attempt = 1]) =>
    left.inWords({ type: 'progress', at: new Date(seconds * 1_000).toISOString(), attempt, phase, done }),
  );
}

describe('the time that is left', () => {
  it('goes on in a straight line within a phase', () => {
    expect(
      said([
        [0, 0],
        [9, 0.42],
        [15, 0.7],
      ]),
    ).toEqual(['matching 0 %', 'matching 42 %, about 12 s left', 'matching 70 %, about 6 s left']);
  });

  it('is not guessed before two seconds and a twentieth of the work', () => {
    expect(
      said([
        [0, 0],
        [1.999, 0.2],
        [2, 0.2],
      ]),
    ).toEqual(['matching 0 %', 'matching 20 %', 'matching 20 %, about 8 s left']);
    expect(
      said([
        [0, 0],
        [60, 0.05],
        [60, 0.0501],
      ]).map((text) => text.includes('left')),
    ).toEqual([false, false, true]);
  });

  it('counts from what was heard first, and again in another phase or attempt', () => {
    expect(
      said([
        [0, 0.5],
        [10, 0.75],
      ])[1],
    ).toBe('matching 75 %, about 10 s left');
    expect(
      said([
        [0, 0],
        [10, 0.5, 'evaluate'],
        [20, 0.6, 'evaluate', 2],
      ]).slice(1),
    ).toEqual(['computing 50 %', 'computing 60 %']);
    expect(
      said([
        [0, 0.6],
        [10, 0.1],
        [20, 0.6],
      ]).at(-1),
    ).toBe('matching 60 %, about 8 s left');
  });

  it('is told in minutes and hours where it is long', () => {
    expect(
      said([
        [0, 0],
        [60, 0.1],
      ])[1],
    ).toBe('matching 10 %, about 9 min left');
    expect(
      said([
        [0, 0],
        [3_600, 0.2],
      ])[1],
    ).toBe('matching 20 %, about 4 h left');
    expect(
      said([
        [0, 0],
        [100, 0.999],
      ])[1],
    ).toBe('matching 99 %, about 1 s left');
  });

  it('calls a phase that it does not know by its own name', () => {
    expect([phaseInWords('open'), phaseInWords('weigh'), phaseInWords('toString')]).toEqual([
      'opening',
      'weigh',
      'toString',
    ]);
  });
});
