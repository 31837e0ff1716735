/** Clocks that are an hour off: the job is refused by name, and the remedy names the clock. */
import { clockSkewMs } from '@folkmoot/core/envelope.js';
import { type Clock, systemClock } from '@folkmoot/transport/clock.js';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startNode } from '../src/node.ts';
import { type Consortium, idOf, makeConsortium, type PartyName } from './consortium.ts';
import { StandIn } from './stand-in-coordinator.ts';

let consortium: Consortium;
let coordinator: StandIn;
beforeAll(async () => {
  consortium = await makeConsortium(17);
  coordinator = await StandIn.start(consortium.charter);
});
afterAll(async () => {
  await coordinator.stop();
  consortium.dispose();
});

const hour = 3_600_000;
const off = (ms: number): Clock => ({ ...systemClock, now: () => Date.now() + ms });

/** What a node with such a clock says to a job that was signed at this time. */
async function said(party: PartyName, clock: Clock, issuedMs: number) {
  const node = await startNode({
    configFile: consortium.configFile(party),
    overrides: { coordinator: coordinator.url },
    log: pino({ level: 'silent' }),
    env: {},
    clock,
  });
  const signed = consortium.signed(undefined, issuedMs);
  const job = idOf(signed);
  try {
    await coordinator.until(() => coordinator.heard.some((one) => one.party === party && one.message.type === 'login'));
    coordinator.send(party, { type: 'invite', job, attempt: 1, signed });
    const about = () =>
      coordinator.heard
        .map(({ message }) => message)
        .find((message) => (message.type === 'denied' || message.type === 'accepted') && message.job === job);
    await coordinator.until(() => about() !== undefined);
    return about()!;
  } finally {
    await node.stop();
  }
}

describe('a node whose clock is an hour off', () => {
  it('denies what is already over by its clock, and names the clock', async () => {
    // Jobs of this consortium live an hour.
    expect(await said('camden', off(hour + clockSkewMs), Date.now())).toMatchObject({
      type: 'denied',
      report: { code: 'JOB_EXPIRED', remedy: expect.stringContaining('NTP') },
    });
  });

  it('denies what its clock says was signed in the future, and names the clock', async () => {
    expect(await said('hackney', off(-hour), Date.now())).toMatchObject({
      type: 'denied',
      report: { code: 'NOT_YET_VALID', remedy: expect.stringContaining('NTP') },
    });
  });

  it('takes what is within the two minutes that clocks may differ by', async () => {
    expect(await said('islington', off(-clockSkewMs / 2), Date.now())).toMatchObject({ type: 'accepted' });
  });
});
