import { describe, expect, it } from 'vitest';
import { simulate } from './simulation.ts';

// In a file of its own, so that both workers take half of the seeds.
describe('a consortium whose network, disks, clocks, relay and coordinator fail', () => {
  it('gives each job one right answer or a typed end with other seeds too', async () => {
    const run = await simulate('--seeds', '2500', '--from', '100001');
    expect(run.lines.filter((line) => line.includes('failed at'))).toEqual([]);
    expect(run.status).toBe(0);
  }, 600_000);
});
