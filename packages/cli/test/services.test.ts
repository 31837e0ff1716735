/** The commands of a consortium that stays: keys, charter, a coordinator, nodes, and an analyst at another shell. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Finished, folkmoot, type Started, start } from './command-line.ts';
import { expectedRows, towns, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
const services: Started[] = [];
let url: string;

const run = (...args: string[]): Promise<Finished> => folkmoot([...args, '--json'], { cwd: folder });
const json = ({ stdout }: Finished) => JSON.parse(stdout);

/** Starts a service and resolves with its ready line. */
async function serve(...args: string[]): Promise<{ readonly service: Started; readonly ready: { url?: string } }> {
  const service = start([...args, '--json'], { cwd: folder });
  services.push(service);
  const ready = await new Promise<string>((resolve, reject) => {
    service.child.stdout!.once('data', resolve);
    service.finished.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  return { service, ready: JSON.parse(ready) };
}

const node = (town: string) => serve('node', `${town}/node.yaml`, '--coordinator', url);

beforeAll(async () => {
  writeConsortium(folder);
  writeFileSync(
    join(folder, 'coordinator.yaml'),
    'charter: ./charter.json\nlisten: 127.0.0.1:0\nstate: ./coordinator\n',
  );
  await Promise.all([
    ...towns.map((town) => run('keygen', '--out', `${town}/keys`)),
    run('keygen', '--analyst', '--out', 'ann/keys'),
  ]);
  await run('charter', 'seal', 'charter.yaml');
  const { ready } = await serve('coordinator', 'coordinator.yaml');
  url = ready.url!;
  const settings = {
    analyst: 'ann',
    charter: './charter.json',
    coordinator: url,
    keys: './ann/keys',
    state: './ann/state',
  };
  writeFileSync(join(folder, 'analyst.yaml'), JSON.stringify(settings));
});
afterAll(async () => {
  for (const { child } of services) child.kill('SIGTERM');
  await Promise.all(services.map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

describe('a consortium that stays', () => {
  it('lets a job wait for its parties, and be taken back', async () => {
    const { job } = json(await run('submit', 'job.yaml'));
    expect(job).toMatch(/^[0-9a-f]{64}$/);
    const early = await run('result', job);
    expect({ code: early.code, error: json(early).error.code }).toEqual({ code: 1, error: 'NOT_READY' });
    expect(json(await run('cancel', job.slice(0, 12)))).toMatchObject({ job, state: 'CANCELLED' });
    const watched = await run('watch', job);
    expect({ code: watched.code, error: json(watched).error.code }).toEqual({ code: 4, error: 'CANCELLED' });
    expect((await run('cancel', job)).code).toBe(1);
  });

  it('says of a job that was asked to be taken back what it is, as long as it is not cancelled', async () => {
    const { job } = json(await run('submit', 'job.yaml'));
    // As a coordinator answers while another one leads the job and does not come to it: the view, as it is.
    const slow = createServer((incoming, outgoing) => {
      const { method, headers, url: path = '' } = incoming;
      const asksForView = path.endsWith('/cancel');
      if (asksForView) incoming.resume();
      const target = `${url.replace(/^ws/, 'http')}${path.replace(/\/cancel$/, '')}`;
      const { authorization = '' } = headers;
      const options = asksForView ? { headers: { authorization } } : { method, headers };
      const passed = request(target, options, (reply) => reply.pipe(outgoing.writeHead(reply.statusCode!)));
      if (asksForView) passed.end();
      else incoming.pipe(passed);
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const there = `ws://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    const settings = {
      analyst: 'ann',
      charter: './charter.json',
      coordinator: there,
      keys: './ann/keys',
      state: './s',
    };
    writeFileSync(join(folder, 'slow.yaml'), JSON.stringify(settings));
    try {
      const asked = await run('cancel', job, '--config', 'slow.yaml');
      expect({ code: asked.code, said: json(asked) }).toEqual({ code: 1, said: { job, state: 'QUEUED' } });
      expect(asked.stderr).toContain(`folkmoot watch ${job.slice(0, 12)}`);
    } finally {
      slow.closeAllConnections();
      slow.close();
    }
    expect(json(await run('cancel', job))).toEqual({ job, state: 'CANCELLED' });
  });

  it('answers a job, and gives the answer again', async () => {
    for (const town of towns) await node(town);
    const waited = await run('submit', 'job.yaml', '--wait');
    expect(json(waited)).toMatchObject({ status: 'DONE', rows: expectedRows });
    expect(waited.code).toBe(0);
    const { job } = json(waited);
    const watched = await run('watch', job.slice(0, 10));
    expect(json(watched)).toMatchObject({ job, state: 'DONE' });
    expect(watched.stderr).toContain('"state":"RUNNING"');
    expect(json(await run('result', job)).rows).toEqual(expectedRows);
    const listed = json(await run('watch'));
    expect(listed.jobs.map(({ state }: { state: string }) => state)).toEqual(['DONE', 'CANCELLED', 'CANCELLED']);
  });

  it('does not know the jobs of others, nor half an id', async () => {
    const unknown = await run('result', 'ab'.repeat(32));
    expect({ code: unknown.code, error: json(unknown).error.code }).toEqual({ code: 1, error: 'UNKNOWN_JOB' });
    const vague = await run('result', 'xyz');
    expect({ code: vague.code, error: json(vague).error.code }).toEqual({ code: 2, error: 'BAD_VALUE' });
  });

  it('refuses keys that are not the analyst’s, and settings it cannot read', async () => {
    const settings = { analyst: 'ann', charter: './charter.json', coordinator: url, keys: './ash/keys', state: './s' };
    writeFileSync(join(folder, 'other.yaml'), JSON.stringify(settings));
    const wrong = await run('watch', '--config', 'other.yaml');
    expect({ code: wrong.code, error: json(wrong).error.code }).toEqual({ code: 2, error: 'KEY_MISMATCH' });
    writeFileSync(join(folder, 'other.yaml'), JSON.stringify({ ...settings, analyst: 'bob' }));
    expect(json(await run('watch', '--config', 'other.yaml')).error.code).toBe('UNKNOWN_ANALYST');
    writeFileSync(join(folder, 'other.yaml'), JSON.stringify({ ...settings, token: 1 }));
    expect(json(await run('watch', '--config', 'other.yaml')).error.code).toBe('UNKNOWN_KEY');
    const insecure = { ...settings, keys: './ann/keys', coordinator: 'ws://192.0.2.1:7700' };
    writeFileSync(join(folder, 'other.yaml'), JSON.stringify(insecure));
    expect(json(await run('watch', '--config', 'other.yaml')).error.code).toBe('INSECURE_URL');
  });

  it('stops a service in good order', async () => {
    for (const { child, finished } of services.splice(0)) {
      child.kill('SIGTERM');
      expect(await finished).toMatchObject({ code: 0 });
    }
    const gone = await run('watch');
    expect({ code: gone.code, error: json(gone).error.code }).toEqual({ code: 4, error: 'UNREACHABLE' });
  });
});
