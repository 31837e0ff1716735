/**
 * Shows from the outside, by the calls that the system sees, that what a process acknowledges is on the disk: no byte
 * leaves on a socket between a write to the database's log and the call that waits for the disk to have it.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { exactJob, protectedJob, startMoot } from './moot.ts';
import { judge, Sightings } from './oracle.ts';

const hasStrace = spawnSync('strace', ['-V']).status === 0;

/** What one line of the trace did, as far as it matters. */
type Call = { call: 'write' } | { call: 'sync' } | { call: 'send' } | { call: 'log'; state: string };

/** Of the first thread alone: SQLite and the sockets are there. `-D` leaves the process where it would be without strace. */
const traced = (file: string) => [
  ...['strace', '-D', '-yy', '-s', '400', '-o', file],
  ...['-e', 'trace=write,writev,sendto,sendmsg,pwrite64,fsync,fdatasync'],
];

function callsIn(trace: string): readonly Call[] {
  return trace.split('\n').flatMap((line): Call[] => {
    const state = /\\"event\\":\\"job-(?:moved|queued)\\".*?\\"state\\":\\"([A-Z]+)\\"/.exec(line)?.[1];
    if (state !== undefined) return [{ call: 'log', state }];
    const [, name = '', target = ''] = /^(\w+)\(\d+<([^>]*)/.exec(line) ?? [];
    if (target.startsWith('TCP')) return [{ call: 'send' }];
    if (!target.endsWith('.sqlite-wal')) return [];
    if (name !== 'fsync' && name !== 'fdatasync') return [{ call: 'write' }];
    return / = 0$/.test(line) ? [{ call: 'sync' }] : [];
  });
}

/** Every state that the log tells of, with whether it had been synced then; and how often a byte left too early. */
function judgeTrace(calls: readonly Call[]) {
  const states: Record<string, number> = {};
  let [dirty, syncs, early, sent] = [false, 0, 0, 0];
  for (const one of calls) {
    if (one.call === 'write') dirty = true;
    if (one.call === 'sync') [dirty, syncs] = [false, syncs + 1];
    if (one.call === 'send') {
      sent++;
      if (dirty) early++;
    }
    if (one.call === 'log') {
      // Its own transaction, and no other's, was waited for.
      expect({ state: one.state, dirty, isSynced: syncs > 0 }).toEqual({
        state: one.state,
        dirty: false,
        isSynced: true,
      });
      states[one.state] = syncs;
      syncs = 0;
    }
  }
  return { states: Object.keys(states), early, sent };
}

it.skipIf(!hasStrace)('waits for the disk before it acknowledges, at a node and at the coordinator', async () => {
  const traceFile = (name: string, folder: string) => join(folder, `${name}.trace`);
  const isTraced = (name: string) => name === 'ash' || name === 'coordinator';
  const moot = await startMoot({
    before: (name, folder) => (isTraced(name) ? traced(traceFile(name, folder)) : []),
  });
  try {
    await moot.ask(protectedJob(18));
    await moot.ask(exactJob(30));
    await judge(moot, new Sightings());
    const traceOf = (name: string) => judgeTrace(callsIn(readFileSync(traceFile(name, moot.folder), 'utf8')));
    const node = traceOf('ash');
    expect(node).toMatchObject({ early: 0 });
    expect(node.states).toEqual(['RECEIVED', 'ACCEPTED', 'RUNNING', 'COMMITTED', 'OPENING', 'RESULT']);
    expect(node.sent).toBeGreaterThan(10);
    const coordinator = traceOf('coordinator');
    expect(coordinator).toMatchObject({ early: 0 });
    expect(coordinator.states).toEqual(['QUEUED', 'INVITING', 'READY', 'RUNNING', 'DONE']);
    expect(coordinator.sent).toBeGreaterThan(10);
  } finally {
    await moot.remove();
  }
});
