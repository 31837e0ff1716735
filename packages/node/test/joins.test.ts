/** What a party keeps of its joins, and what it does not. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CheckedJoin, CheckedSide } from '@folkmoot/core/checked-join.js';
import type { SignedJob } from '@folkmoot/core/envelope.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { JoinWord } from '../src/join-record.ts';
import { keepJoin } from '../src/join-report.ts';
import { readJoins, readMatches } from '../src/owner.ts';
import { type OwnerChannel, openOwnerChannel } from '../src/owner-channel.ts';
import { reportRoutes } from '../src/report-routes.ts';
import { openStore, type Store } from '../src/store.ts';

const side = (party: string, dataset: string) =>
  ({ party, dataset: { name: dataset }, key: 'nhs_number', rowsPerKey: 1 }) as unknown as CheckedSide;
const between = (reveal: CheckedJoin['reveal'] = null): CheckedJoin => ({
  left: side('camden', 'residents'),
  right: side('ncl-health', 'patients'),
  permission: { permitted_by: 'Caldicott Guardian' },
  reveal,
});
const signed = (title: string) =>
  ({ envelope: { analyst: 'ana', job: { title, purpose: 'prevention' } }, signature: '00' }) as unknown as SignedJob;
const tally: JoinWord = { word: 'tally', tally: { seen: 12, empty: 1, malformed: 2, failedCheck: 3 } };
const matches = (...identifiers: string[]): JoinWord => ({ word: 'matches', identifiers });

let folder: string;
let state: string;
let store: Store;
let channel: OwnerChannel;
let nowMs: number;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
  state = join(folder, 'state');
  nowMs = Date.parse('2026-11-22T08:00:00Z');
  store = openStore(state, () => nowMs);
  const config = { party: 'camden', datasets: {}, policy: { rules: [] } };
  const routes = reportRoutes(config, store, new Map());
  const log = pino({ level: 'silent' });
  channel = await openOwnerChannel({ state, host: '127.0.0.1', port: 0, routes, randomBytes, log });
  writeFileSync(
    join(folder, 'node.yaml'),
    'party: camden\ncharter: c\ncoordinator: ws://127.0.0.1:1\nkeys: k\nstate: ./state\ndatasets: {}\npolicy: { rules: [] }\n',
  );
  for (const job of ['a1', 'a2', 'b1']) {
    store.save({ status: 'RECEIVED', job, signed: signed(`Job ${job}`), expiresMs: 99, attempt: 1 });
  }
});
afterEach(async () => {
  await channel.close();
  store.close();
  rmSync(folder, { recursive: true, force: true });
});

const options = () => ({ configFile: join(folder, 'node.yaml'), nowMs: () => nowMs });
function keep(job: string, word: JoinWord, reveal: CheckedJoin['reveal'] = null, attempt = 1, party = 'camden') {
  keepJoin({ party, state }, store, { job, attempt, join: between(reveal) }, word);
  nowMs += 60_000;
}

describe('the joins of a party', () => {
  it('stand in its state with their counterpart, their column and what was unusable, and are shown while it runs too', async () => {
    keep('a1', tally);
    keep('b1', { word: 'tally', tally: { seen: 5, empty: 0, malformed: 0, failedCheck: 0 } });
    const running = await readJoins(options());
    expect(running.joins.map(({ job }) => job)).toEqual(['b1', 'a1']);
    expect(running.joins[1]).toEqual({
      job: 'a1',
      title: 'Job a1',
      purpose: 'prevention',
      analyst: 'ana',
      at: '2026-11-22T08:00:00.000Z',
      side: 'left',
      counterpart: 'ncl-health',
      dataset: 'residents',
      key: 'nhs_number',
      rows: 12,
      unusable: { empty: 1, malformed: 2, failed_check: 3 },
      matches: null,
    });
    store.close();
    expect(await readJoins(options())).toEqual(running);
  });

  it('are told by their own id, or as much of it as no other has', async () => {
    keep('a1', tally);
    keep('a2', tally);
    expect((await readJoins(options(), 'a1')).joins).toHaveLength(1);
    for (const job of ['a', 'c']) {
      await expect(readJoins(options(), job)).rejects.toMatchObject({ code: 'BAD_VALUE', field: 'job' });
    }
  });

  it('are none before the first, while the node runs and afterwards', async () => {
    expect(await readJoins(options())).toEqual({ party: 'camden', joins: [] });
    store.close();
    expect(await readJoins(options())).toEqual({ party: 'camden', joins: [] });
  });

  it('keep the last attempt alone', async () => {
    keep('a1', tally, 'matches');
    keep('a1', matches('943 476 5919'), 'matches');
    keep('a1', { word: 'tally', tally: { seen: 13, empty: 0, malformed: 0, failedCheck: 0 } }, 'matches', 2);
    expect((await readJoins(options())).joins).toMatchObject([{ rows: 13, matches: null }]);
    keep('a1', matches('943 476 5919', '9990000018'), 'matches', 2);
    const [one] = (await readJoins(options())).joins;
    expect(one!.matches).toBe(2);
    expect(await readMatches(options(), one!)).toEqual(['943 476 5919', '9990000018']);
  });

  it('have matches at the left side of a job that reveals them, as they stand in its records, for its owner alone', async () => {
    keep('a1', tally, 'matches');
    keep('a1', matches('943 476 5919', 'O’Neil\n"x"'), 'matches');
    const [one] = (await readJoins(options())).joins;
    expect(await readMatches(options(), one!)).toEqual(['943 476 5919', 'O’Neil\n"x"']);
    expect(statSync(join(state, 'matches', 'a1.jsonl')).mode & 0o777).toBe(0o600);
    // The database does not have them.
    store.close();
    for (const name of readdirSync(state).filter((entry) => entry !== 'matches')) {
      expect(readFileSync(join(state, name)).includes('943 476')).toBe(false);
    }
  });

  it('have none elsewhere', async () => {
    keep('a1', tally);
    const [one] = (await readJoins(options())).joins;
    await expect(readMatches(options(), one!)).rejects.toMatchObject({ code: 'BAD_VALUE', field: 'job' });
    expect(() => keep('a1', matches('943 476 5919'))).toThrow(/only the left side/);
    expect(() => keep('a1', matches('943 476 5919'), 'matches', 1, 'ncl-health')).toThrow(/only the left side/);
    expect(() => keep('a1', tally, null, 1, 'hackney')).toThrow(/only a side/);
  });

  it('say when the file of the matches is gone', async () => {
    keep('a1', tally, 'matches');
    keep('a1', matches(), 'matches');
    const [one] = (await readJoins(options())).joins;
    expect(await readMatches(options(), one!)).toEqual([]);
    rmSync(join(state, 'matches'), { recursive: true });
    await expect(readMatches(options(), one!)).rejects.toMatchObject({ code: 'STATE_FAILED' });
  });

  it('fail where the matches cannot be written, and then count as unknown', async () => {
    keep('a1', tally, 'matches');
    writeFileSync(join(state, 'matches'), '');
    expect(() => keep('a1', matches('943 476 5919'), 'matches')).toThrow(
      expect.objectContaining({ code: 'STATE_FAILED' }),
    );
    expect((await readJoins(options())).joins).toMatchObject([{ matches: null }]);
  });
});
