import { StateError } from '@folkmoot/core/errors.js';
import { describe, expect, it } from 'vitest';
import { createHealth, httpStatusOf } from '../src/health.ts';

let nowMs = Date.parse('2026-11-22T06:00:00.000Z');
const clock = { now: () => nowMs, after: () => () => {} };

describe('the health of a process', () => {
  it('names what is wrong by its code, and asks again only after a while', async () => {
    let looks = 0;
    let isFull = false;
    const database = () => {
      looks++;
      if (isFull) throw new StateError('STATE_FAILED', { detail: 'SQLITE_FULL' });
    };
    const health = createHealth({ version: '1', clock, checks: { database, link: async () => {} } });
    const well = await health.look();
    expect(well).toEqual({
      status: 'ok',
      version: '1',
      time: '2026-11-22T06:00:00.000Z',
      checks: [
        { check: 'database', ok: true },
        { check: 'link', ok: true },
      ],
    });
    expect(httpStatusOf(well)).toBe(200);
    isFull = true;
    expect((await health.look()).status).toBe('ok');
    expect(looks).toBe(1);
    nowMs += 5_000;
    const ill = await health.look();
    expect(ill.checks[0]).toMatchObject({ check: 'database', ok: false, code: 'STATE_FAILED' });
    expect(httpStatusOf(ill)).toBe(503);
    // A clock that is set back an hour does not keep the old word for an hour.
    isFull = false;
    nowMs -= 3_600_000;
    expect((await health.look()).status).toBe('ok');
  });

  it('tells nothing of an error that is not ours but that there is one', async () => {
    const link = () => Promise.reject(new Error('row 7: nhs 9434765919'));
    const report = await createHealth({ version: '1', clock, checks: { link } }).look();
    expect(report.checks[0]).toMatchObject({ ok: false, code: 'INTERNAL' });
    expect(JSON.stringify(report)).not.toContain('9434765919');
  });

  it('takes no more work once it is told to stop', async () => {
    const health = createHealth({ version: '1', clock, checks: {} });
    health.stopping();
    const report = await health.look();
    expect([report.status, httpStatusOf(report)]).toEqual(['stopping', 503]);
  });
});
