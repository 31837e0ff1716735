import { describe, expect, it } from 'vitest';
import { simulate } from './simulation.ts';

describe('faults of our own, as they might be written', () => {
  it('are noticed, every one', async () => {
    const { status, lines } = await simulate('--mutants', '--seeds', '500');
    expect(lines.filter((line) => line.includes('unnoticed'))).toEqual([]);
    expect(lines.filter((line) => line.includes('noticed by seed')).length).toBeGreaterThanOrEqual(7);
    expect(status).toBe(0);
  }, 240_000);
});
