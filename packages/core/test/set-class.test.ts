import { describe, expect, it } from 'vitest';
import { classSize, setClassFor, setClassMax, setClassMin } from '../src/query/set-class.ts';
import { refusalOf } from './refusal.ts';

describe('set classes', () => {
  it('are the powers of √2, rounded up', () => {
    expect(classSize(setClassMin)).toBe(512);
    expect(classSize(19)).toBe(725);
    expect(classSize(20)).toBe(1024);
    expect(classSize(setClassMax)).toBe(2 ** 22);
  });

  it('hold what they are chosen for, and the class below does not', () => {
    expect([0, 1, 512].map(setClassFor)).toEqual([18, 18, 18]);
    for (let setClass = setClassMin; setClass < setClassMax; setClass++) {
      expect(setClassFor(classSize(setClass))).toBe(setClass);
      expect(setClassFor(classSize(setClass) + 1)).toBe(setClass + 1);
    }
  });

  it('end with the largest set that is matched', () => {
    expect(setClassFor(2 ** 22)).toBe(setClassMax);
    expect(refusalOf(() => setClassFor(2 ** 22 + 1))).toMatchObject({ code: 'SET_TOO_LARGE' });
  });
});
