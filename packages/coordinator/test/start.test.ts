import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { charterText } from '@folkmoot/core/charter.js';
import { clockSkewMs, jobId } from '@folkmoot/core/envelope.js';
import type { Clock } from '@folkmoot/transport/clock.js';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { limits } from '../src/limits.ts';
import { startCoordinator } from '../src/server.ts';
import { api, type Consortium, consortium, signedJob } from './consortium.ts';
import { ScriptedNode } from './scripted-node.ts';

let moot: Consortium;
beforeEach(async () => {
  moot = await consortium();
});
afterEach(() => moot.remove());

const log = pino({ level: 'silent' });

/** A clock that stands until it is moved. */
class HandClock implements Clock {
  #nowMs = Date.now();
  #timers: { readonly atMs: number; readonly action: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer);
    };
  }

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((one) => one !== next);
      this.#nowMs = next.atMs;
      next.action();
    }
    this.#nowMs = untilMs;
  }
}

describe('a coordinator', () => {
  it('does not start on a charter that is unsigned or was changed', async () => {
    const file = join(moot.folder, 'charter.json');
    const { signatures: _, ...unsigned } = moot.charter;
    writeFileSync(file, charterText(unsigned));
    await expect(moot.start()).rejects.toMatchObject({ code: 'CHARTER_UNSIGNED' });
    writeFileSync(file, charterText(moot.charter).replace('Ant Hill', 'Ant Hole'));
    await expect(moot.start()).rejects.toMatchObject({ code: 'CHARTER_CHANGED' });
    const overrides = { charter: join(moot.folder, 'none.json') };
    await expect(startCoordinator({ configFile: moot.configFile, overrides, log })).rejects.toMatchObject({
      code: 'BAD_VALUE',
      field: 'charter',
    });
  });

  it('names the address that is taken, and lets go of its state', async () => {
    const first = await moot.start();
    const overrides = { listen: new URL(first.url).host, state: join(moot.folder, 'other') };
    const second = startCoordinator({ configFile: moot.configFile, overrides, log });
    await expect(second).rejects.toMatchObject({ code: 'BAD_VALUE', field: 'listen' });
    await first.stop();
    const third = await startCoordinator({ configFile: moot.configFile, overrides, log });
    await third.stop();
  });

  it('stops while streams are open', async () => {
    const running = await moot.start();
    const owl = await api(moot, running.url);
    const signed = signedJob(moot);
    await owl.post('/v1/jobs', signed);
    const stream = await owl.stream(`/v1/jobs/${jobId(signed.envelope)}/events`);
    const text = stream.text().catch(() => 'broken');
    await running.stop();
    await text;
    expect(readFileSync(moot.configFile, 'utf8')).toContain('charter');
  });
});

describe('time at the coordinator', () => {
  it('ends jobs, tokens, nonces and slow logins, and keeps streams alive', async () => {
    const clock = new HandClock();
    const running = await startCoordinator({ configFile: moot.configFile, log, clock });
    const owl = await api(moot, running.url);
    const soon = { issued: new Date(clock.now()).toISOString(), expires: new Date(clock.now() + 60_000).toISOString() };
    const signed = signedJob(moot, soon);
    const id = jobId(signed.envelope);
    await owl.post('/v1/jobs', signed);

    const stream = await owl.stream(`/v1/jobs/${id}/events`);
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader.read()).value).toContain('QUEUED');
    const comment = reader.read();
    await expect
      .poll(() => {
        clock.advance(limits.keepAliveMs);
        return Promise.race([comment, Promise.resolve(undefined)]);
      })
      .toEqual({ done: false, value: ': still here\n\n' });

    const silent = await ScriptedNode.open(moot, running.url, 'ant');
    await new Promise((resolve) => setTimeout(resolve, 50));
    clock.advance(limits.loginMs);
    await silent.ended;

    clock.advance(60_000 + clockSkewMs + 2_000);
    let rest = '';
    for (let next = await reader.read(); !next.done; next = await reader.read()) rest += next.value;
    expect(rest).toContain('"state":"EXPIRED"');
    expect((await owl.get(`/v1/jobs/${id}`)).body).toMatchObject({
      state: 'EXPIRED',
      error: { code: 'JOB_EXPIRED', message: expect.stringContaining('not connected: ant, bee, cat') },
    });

    const { nonce } = (await owl.raw('/v1/login/nonce', {})).body as unknown as { nonce: string };
    clock.advance(limits.nonceMs);
    const late = { analyst: 'owl', nonce, signature: '0'.repeat(128) };
    expect((await owl.raw('/v1/login', late)).status).toBe(401);
    clock.advance(limits.tokenMs);
    expect((await owl.get(`/v1/jobs/${id}`)).status).toBe(401);
    await running.stop();
  });
});
