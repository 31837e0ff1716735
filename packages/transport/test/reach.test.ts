import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { selfSigned } from '@folkmoot/testkit/certificate.js';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../src/clock.ts';
import { worst } from '../src/finding.ts';
import { certificateFinding, charterFinding, clockFinding, reach, versionsFinding } from '../src/reach.ts';

const day = 86_400_000;
const authorities = getCACertificates('default');
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  setDefaultCACertificates(authorities);
  for (const end of ends.splice(0)) await end();
});

/** A server with such a certificate; its address. */
async function serve(untilMs: number, isTrusted: boolean): Promise<string> {
  const { key, cert } = selfSigned(untilMs);
  if (isTrusted) setDefaultCACertificates([...authorities, cert]);
  const server = createServer({ key, cert }, (_, response) => response.end('{}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  return `wss://localhost:${(server.address() as AddressInfo).port}`;
}

const reached = {
  ...{ version: '0.1.0', charterHash: 'a', fingerprint: '6243 5a00', status: 'ok', aheadMs: 0 },
  failing: [],
  builds: { camden: '0.1.0', hackney: '0.1.0' },
};

describe('the certificate of a coordinator', () => {
  it('is good while it is trusted and holds for weeks', async () => {
    const good = await certificateFinding(await serve(Date.now() + 90 * day, true), systemClock);
    expect(good).toMatchObject({ level: 'ok', text: expect.stringContaining('89 more days') });
    const soon = await certificateFinding(await serve(Date.now() + 10 * day, true), systemClock);
    expect(soon).toMatchObject({ level: 'warn', text: expect.stringContaining('9 more days') });
  });

  it('is bad where it has ended, or nobody here trusts it', async () => {
    const ended = await certificateFinding(await serve(Date.now() - day, true), systemClock);
    expect(ended).toMatchObject({ level: 'fail', text: expect.stringContaining('ended on') });
    const unknown = await certificateFinding(await serve(Date.now() + 90 * day, false), systemClock);
    expect(unknown).toMatchObject({ level: 'fail', remedy: expect.stringContaining('ca:') });
    expect(unknown.text).toContain('SELF_SIGNED');
  });

  it('is not needed on this machine, and not there where nobody speaks TLS', async () => {
    expect(await certificateFinding('ws://127.0.0.1:9', systemClock)).toMatchObject({ level: 'ok' });
    await expect(certificateFinding('wss://127.0.0.1:9', systemClock)).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });
});

describe('a coordinator, reached', () => {
  it('is away, insecure, or something else', async () => {
    await expect(reach('ws://127.0.0.1:9', systemClock)).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await expect(reach('ws://192.0.2.1:9', systemClock)).rejects.toMatchObject({ code: 'INSECURE_URL' });
    await expect(reach('ws://0.0.0.0:9', systemClock)).rejects.toMatchObject({ code: 'INSECURE_URL' });
    const own = reach('ws://0.0.0.0:9', systemClock, { isOwn: true });
    await expect(own).rejects.toMatchObject({ code: 'UNREACHABLE' });
    const other = createPlain((_, response) => response.end('<html>'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => other.close(resolve)));
    const { port } = other.address() as AddressInfo;
    await expect(reach(`ws://127.0.0.1:${port}`, systemClock)).rejects.toThrow('no coordinator');
  });

  it('is one that cannot tell, where it says so', async () => {
    const report = { error: { code: 'STATE_FAILED', message: 'PLANTED', remedy: '' } };
    const failing = createPlain((_, response) => response.writeHead(500).end(JSON.stringify(report)));
    await new Promise<void>((resolve) => failing.listen(0, '127.0.0.1', resolve));
    ends.push(() => new Promise((resolve) => failing.close(resolve)));
    const { port } = failing.address() as AddressInfo;
    await expect(reach(`ws://127.0.0.1:${port}`, systemClock)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/the coordinator answers with status 500 and STATE_FAILED$/),
    });
  });

  it.each([
    [0, 'ok'],
    [29_000, 'ok'],
    [-31_000, 'warn'],
    [119_000, 'warn'],
    [121_000, 'fail'],
    [-3_600_000, 'fail'],
  ] as const)('has a clock %i ms ahead: %s', (aheadMs, level) => {
    const finding = clockFinding(aheadMs);
    expect(finding.level).toBe(level);
    if (level !== 'ok') expect(finding.remedy).toContain('NTP');
  });

  it('runs this charter and this version, or others', () => {
    expect(charterFinding('a', reached).level).toBe('ok');
    expect(charterFinding('b', reached)).toMatchObject({ level: 'fail', text: expect.stringContaining('6243 5a00') });
    expect(versionsFinding('0.1.0', reached)).toMatchObject({
      level: 'ok',
      text: expect.stringContaining('2 connected'),
    });
    const mixed = { ...reached, builds: { camden: '0.1.0', hackney: '0.2.0' } };
    expect(versionsFinding('0.1.0', mixed)).toMatchObject({ level: 'warn', text: '0.1.0 here; 0.2.0 at hackney' });
    expect(worst([clockFinding(0), versionsFinding('0.2.0', reached)])).toBe('warn');
    expect(worst([])).toBe('ok');
  });
});
