/** Two processes with one identity: the one that is there stays, until it falls silent. */

import { faultProxy } from '@folkmoot/testkit/fault-proxy.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { systemClock } from '@folkmoot/transport/clock.js';
import { heartbeatMs } from '@folkmoot/transport/link.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RunningCoordinator, startCoordinator } from '../src/server.ts';
import { type Consortium, consortium } from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

const [first, second] = ['1a'.repeat(16), '2b'.repeat(16)];
let moot: Consortium;
let running: RunningCoordinator;
let beats: (() => void)[];
/** Time goes by itself, but hearts beat when the test says so. */
const clock: Clock = {
  now: () => systemClock.now(),
  after(delayMs, action) {
    if (delayMs !== heartbeatMs) return systemClock.after(delayMs, action);
    beats.push(action);
    return () => {
      beats = beats.filter((one) => one !== action);
    };
  },
};
const beat = () => {
  for (const action of beats.splice(0)) action();
};

beforeEach(async () => {
  moot = await consortium();
  beats = [];
  const log = pino({ level: 'silent' });
  running = await startCoordinator({ configFile: moot.configFile, log, clock });
});
afterEach(async () => {
  await running.stop();
  moot.remove();
});

const login = (instance: string, url = running.url) => ScriptedNode.login(moot, url, 'ant', undefined, instance);
/** A login that is refused: its link ends instead of a welcome. */
const refused = async (instance: string) => {
  const node = await ScriptedNode.open(moot, running.url, 'ant');
  void ScriptedNode.enter(node, moot, instance).catch(() => undefined);
  return node.ended;
};

describe('an identity', () => {
  it('belongs to the process that is there; another one is told so, by a code', async () => {
    const here = await login(first);
    expect(await refused(second)).toMatchObject({ code: 'IDENTITY_IN_USE' });
    expect(await refused(second)).toMatchObject({ code: 'IDENTITY_IN_USE' });
    // The one that was first is still the one that is spoken to.
    here.link.close();
    await expect.poll(async () => (await login(second)).party).toBe('ant');
  });

  it('goes on with the same process over a new link at once', async () => {
    const old = await login(first);
    const next = await login(first);
    expect(await old.ended).toBeDefined();
    expect(await refused(second)).toMatchObject({ code: 'IDENTITY_IN_USE' });
    next.link.close();
  });

  it('goes over to another process once the first has not answered for a heartbeat', async () => {
    const proxy = await faultProxy(Number(new URL(running.url).port));
    await login(first, `ws://127.0.0.1:${proxy.port}`);
    beat();
    expect(await refused(second)).toMatchObject({ code: 'IDENTITY_IN_USE' });
    proxy.break({ fault: 'stall' });
    beat();
    beat();
    const next = await login(second);
    expect(next.party).toBe('ant');
    next.link.close();
    await proxy.stop();
  });
});
