/** Breaks a consortium at random while it answers several jobs at once: `CHAOS_SEED=… CHAOS_ROUNDS=…` for others, and more. */
import { describe, expect, it } from 'vitest';
import { chanceOf, rounds, seed } from './chance.ts';
import { type Planned, seededEffects, unleash } from './effects.ts';
import { exactJob, protectedJob, startMoot } from './moot.ts';
import { judge, Sightings } from './oracle.ts';

const seeds = Array.from({ length: rounds }, (_, round) => seed + round);

describe('a consortium in which everything breaks', () => {
  it.each(seeds)('answers each job once, or says why not, and keeps its ledgers (CHAOS_SEED=%i)', async (own) => {
    const chance = chanceOf(own);
    const plan: readonly Planned[] = seededEffects(chance, { effects: 7, lines: 120 });
    const moot = await startMoot();
    const sightings = new Sightings();
    const happened: string[] = [];
    try {
      const chaos = unleash(moot, plan, sightings);
      const jobs = [exactJob(10), protectedJob(20), exactJob(30, 2), protectedJob(40), protectedJob(20)];
      try {
        await Promise.all(jobs.map((job) => moot.ask(job)));
      } finally {
        happened.push(...chaos.happened);
        await chaos.end();
      }
      // What was broken is whole again: new questions are answered, and old ones answered as they were.
      await moot.calm();
      for (const job of [exactJob(50), protectedJob(60), protectedJob(20)]) {
        const id = await moot.ask(job);
        expect(await moot.client.state(id)).toMatchObject({ state: 'DONE' });
      }
      await judge(moot, sightings);
    } catch (error) {
      const tails = ['coordinator', 'ash', 'birch', 'cedar'].map((name) => `${name}:\n${moot.tailOf(name)}`);
      throw new Error(`${String(error)}\n${happened.join('\n')}\n${tails.join('\n')}`, { cause: error });
    } finally {
      await moot.remove();
    }
  });
});
