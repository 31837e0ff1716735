import type { SignedAcceptance } from '@folkmoot/core/acceptance.js';
import { encodeControl } from '@folkmoot/transport/control.js';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type JobState, queued } from '../src/lifecycle.ts';
import { eventOf, messageOf, wordBytesFor } from '../src/party-message.ts';
import { acceptanceOf, type Consortium, consortium, renunciationOf, signedJob } from './consortium.ts';

const job = 'ab'.repeat(32);
let moot: Consortium;

beforeAll(async () => {
  moot = await consortium();
});
afterAll(() => moot.remove());

const heard = (parties: number, headBytes: number) => {
  const head = { proof: 'x'.repeat(headBytes) };
  const message = { type: 'accepted', job, attempt: 1, acceptance: acceptanceOf(moot, 'ant', job), head } as const;
  return eventOf('ant', message, moot.charter, Date.now(), parties);
};

it('the largest heads that are taken fit into one start, with all renunciations', () => {
  for (const parties of [2, 9, 40, 100]) {
    let bytes = wordBytesFor(parties);
    while (heard(parties, bytes).type === 'failed') bytes -= 64;
    const roster = Array.from({ length: parties }, (_, index) => `${index}`.padStart(64, 'p'));
    const each = <T>(value: T) => Object.fromEntries(roster.map((party) => [party, value]));
    const event = heard(parties, bytes);
    if (event.type !== 'accepted') throw new Error('nothing fits');
    const state: JobState<SignedAcceptance> = {
      ...queued(roster, 0),
      ...{ phase: 'READY', attempt: 2, acceptances: each(event.acceptance), heads: each(event.head!) },
      renounced: each(renunciationOf(moot, 'ant', job)),
    };
    const start = messageOf({ id: job, signed: signedJob(moot), epoch: 1 }, state, { send: 'start', to: 'ant' });
    expect(encodeControl(start).length).toBeGreaterThan(Math.min(parties * 100_000, 900_000));
  }
});

it('a head that leaves too little room for those of the others is a failure of its party', () => {
  expect(heard(3, 100_000).type).toBe('accepted');
  for (const [parties, bytes] of [
    [3, 121_000],
    [40, 100_000],
  ] as const) {
    expect(heard(parties, bytes)).toMatchObject({ type: 'failed', report: { code: 'AUDIT_UNPROVEN', party: 'ant' } });
  }
});
