/** Two coordinators on one PostgreSQL: what falls is either of them, or the database under both. */
import { startPostgres, type TestPostgres } from '@folkmoot/testkit/postgres.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chanceOf, rounds, seed } from './chance.ts';
import { exactJob, type Moot, protectedJob, startMoot } from './moot.ts';
import { judge, Sightings } from './oracle.ts';
import { soon } from './service.ts';

const chance = chanceOf(seed);
/** One of these as the seed decides, or all where more is asked for: each takes as long as a lease. */
const some = (states: readonly string[]) => (rounds > 1 ? states : [chance.oneOf(states)]);

describe(`two coordinators on one database (CHAOS_SEED=${seed})`, () => {
  let postgres: TestPostgres;
  let moot: Moot;
  const sightings = new Sightings();

  beforeAll(async () => {
    postgres = await startPostgres();
    moot = await startMoot({ postgres: postgres.url });
  });
  afterAll(async () => {
    await moot?.remove();
    await postgres?.stop();
  });

  const isCoordinator = (name: string) => name.startsWith('coordinator');
  /** Does this at the first line that says that a job has come so far, at whichever of these. */
  const at = (state: string, act: (name: string) => unknown, isMeant = (_: string) => true) => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = moot.onLine((name, line) => {
      if (line.event !== 'job-moved' || line.state !== state || !isMeant(name)) return;
      stop();
      Promise.resolve(act(name)).then(() => resolve(), reject);
    });
    return soon(`a job to be ${state}`, promise);
  };
  const answered = async (...jobs: readonly Promise<string>[]) => {
    for (const id of await Promise.all(jobs)) expect(await moot.client.state(id)).toMatchObject({ state: 'DONE' });
  };

  it.each(some(['READY', 'RUNNING', 'DONE']))(
    'answers what one of them led when it was killed at %s',
    async (state) => {
      const killed = at(
        state,
        async (name) => {
          const dead = moot.service(name);
          await dead.kill();
          // The other one goes on alone, and its fellow comes back in the middle.
          await dead.start();
        },
        isCoordinator,
      );
      await answered(moot.ask(exactJob(chance.below(100))), moot.ask(protectedJob(10 + chance.below(40))));
      await killed;
    },
  );

  it.each(some(['ACCEPTED', 'COMMITTED', 'OPENING']))(
    'answers what ran when the database fell at %s',
    async (state) => {
      const fell = at(state, () => postgres.fall());
      await answered(moot.ask(exactJob(chance.below(100))), moot.ask(protectedJob(50 + chance.below(40))));
      await fell;
    },
  );

  it('answers what ran when the database was held for a while', async () => {
    const held = at('RUNNING', async () => {
      postgres.hold();
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      postgres.goOn();
    });
    await answered(moot.ask(protectedJob(95)));
    await held;
  });

  it('agrees with plain SQL and with its own ledgers, and ends when it is told', async () => {
    await judge(moot, sightings);
  });
});
