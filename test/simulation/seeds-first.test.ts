import { describe, expect, it } from 'vitest';
import { counted, simulate } from './simulation.ts';

describe('a consortium whose network, disks, clocks, relay and coordinator fail', () => {
  it('gives each job one right answer or a typed end, and keeps its promises at every step', async () => {
    const run = await simulate('--seeds', '2500', '--from', '1');
    expect(run.lines.filter((line) => line.includes('failed at'))).toEqual([]);
    expect(run.status).toBe(0);
    // A simulation that reaches nothing proves nothing.
    const faults = ['crash', 'cut', 'partition', 'drop', 'repeat', 'reorder', 'corrupt', 'failBefore', 'failAfter'];
    const lies = [
      'lie other acceptances',
      'lie another job under this id',
      'lie invented stored',
      'lie wrong attempt',
      'stale word',
    ];
    const states = ['node OPENING', 'node RESULT', 'node HALTED', 'node EXPIRED', 'node CANCELLED', 'coordinator DONE'];
    for (const what of [
      ...faults,
      ...lies,
      ...states,
      'clockJump',
      'attempt again',
      'answer',
      'abort BUDGET_EXCEEDED',
    ]) {
      expect([what, counted(run, what) > 0]).toEqual([what, true]);
    }
  }, 600_000);

  it('is the same whenever a seed is run again, to the last line of its history', async () => {
    const hashes = async (...which: string[]) => (await simulate(...which, '--hash')).lines.filter(isHash);
    const first = await hashes('--seeds', '5', '--from', '40');
    expect(first).toHaveLength(5);
    expect(new Set(first.map((line) => line.split(' ')[2]))).toHaveLength(5);
    expect(await hashes('--seeds', '5', '--from', '40')).toEqual(first);
    // Nothing of the seeds before it is left for the next one.
    expect(await hashes('--seed', '44')).toEqual([first[4]]);
  }, 120_000);

  it('prints the whole history of a seed', async () => {
    const { lines } = await simulate('--seed', '3', '--trace');
    expect(lines[0]).toMatch(/^ +0 {2}seed 3: \{/);
    expect(lines.some((line) => line.includes(' coordinator saves INVITING 1'))).toBe(true);
  }, 60_000);
});

const isHash = (line: string): boolean => /^seed \d+ [0-9a-f]{64}$/.test(line);
