/** The shortest of the chaos: a node dies while it opens, then all processes at once while a job runs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exactJob, type Moot, protectedJob, startMoot, towns } from './moot.ts';
import { judge, Sightings } from './oracle.ts';
import { soon } from './service.ts';

describe('a consortium of real processes', () => {
  let moot: Moot;
  const sightings = new Sightings();

  beforeAll(async () => {
    moot = await startMoot();
  });
  afterAll(() => moot.remove());

  it('answers what a node was about to open when it was killed, at the same attempt', async () => {
    const birch = moot.service('birch');
    birch.fallAt({ state: 'OPENING', moment: 'within' });
    const ended = moot.ask(protectedJob(18));
    await soon('birch to fall', birch.gone());
    sightings.lookAll(moot);
    await birch.start();
    expect(await moot.client.state(await ended)).toMatchObject({ state: 'DONE', attempt: 1 });
  });

  it('answers at another attempt what was computed when everything was killed', async () => {
    const ended = moot.ask(exactJob(30));
    const cedar = moot.service('cedar');
    cedar.fallAt({ state: 'RUNNING', moment: 'after' });
    await soon('cedar to fall', cedar.gone());
    await Promise.all(['coordinator', ...towns].map((name) => moot.service(name).kill()));
    sightings.lookAll(moot);
    await moot.calm();
    expect(await moot.client.state(await ended)).toMatchObject({ state: 'DONE', attempt: 2 });
  });

  it('agrees with plain SQL and with its own ledgers, and ends when it is told', async () => {
    const judged = await judge(moot, sightings);
    expect(judged.map(({ state }) => state)).toEqual(['DONE', 'DONE']);
  });
});
