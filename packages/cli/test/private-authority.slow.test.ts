/** A consortium whose coordinator has a certificate of a private authority, behind a proxy that every house has to pass. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { parseCharter } from '@folkmoot/core/charter.js';
import { selfSigned } from '@folkmoot/testkit/certificate.js';
import { type ConnectProxy, connectProxy } from '@folkmoot/testkit/connect-proxy.js';
import { writeKeys } from '@folkmoot/transport/keyring.js';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningCoordinator, startCoordinator } from '../../coordinator/src/server.ts';
import { type RunningNode, startNode } from '../../node/src/node.ts';
import { sealForOnce } from '../src/throw-away.ts';
import { folkmoot } from './command-line.ts';
import { towns, writeConsortium } from './small-consortium.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-authority-'));
const lines: string[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) });
let coordinator: RunningCoordinator;
let tls: Server;
let proxy: ConnectProxy;
let startTown: (town: string) => Promise<RunningNode>;
const nodes: RunningNode[] = [];

beforeAll(async () => {
  writeConsortium(folder);
  writeFileSync(
    join(folder, 'job.yaml'),
    'folkmoot: 1\npurpose: planning\nfrom: people\nmeasures: { people: count }\n',
  );
  const charter = parseCharter(readFileSync(join(folder, 'charter.yaml'), 'utf8'), 'charter.yaml');
  const sealed = await sealForOnce(charter, folder);
  const configFile = join(folder, 'coordinator.yaml');
  writeFileSync(configFile, JSON.stringify({ charter: sealed.charterFile, listen: '127.0.0.1:0', state: './moot' }));
  coordinator = await startCoordinator({ configFile, log: pino({ level: 'silent' }) });

  const certificate = selfSigned(Date.now() + 86_400_000);
  writeFileSync(join(folder, 'authority.pem'), certificate.cert);
  tls = createServer(certificate, (near) => {
    const far = connect(Number(new URL(coordinator.url).port), '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  const url = `wss://localhost:${(tls.address() as AddressInfo).port}`;
  proxy = await connectProxy({ credentials: 'moot:secret' });
  startTown = (town) => {
    const kept = { keys: sealed.keyFolder(town), state: join(folder, town, 'state') };
    const overrides = { charter: sealed.charterFile, coordinator: url, ...kept };
    return startNode({ configFile: join(folder, town, 'node.yaml'), overrides, log, env: { HTTPS_PROXY: proxyUrl() } });
  };
  const keys = join(folder, 'ann');
  await writeKeys(keys, sealed.analystKeys.get('ann')!);
  const settings = { analyst: 'ann', charter: sealed.charterFile, coordinator: url, keys, state: './ann-state' };
  writeFileSync(join(folder, 'without.yaml'), JSON.stringify(settings));
  writeFileSync(join(folder, 'analyst.yaml'), JSON.stringify({ ...settings, ca: './authority.pem' }));
});
afterAll(async () => {
  await Promise.all(nodes.map((node) => node.stop()));
  await proxy.stop();
  tls.close();
  await coordinator.stop();
  rmSync(folder, { recursive: true, force: true });
});

const proxyUrl = () => proxy.url.replace('//', '//moot:secret@');
const run = (config: string) =>
  folkmoot(['submit', 'job.yaml', '--wait', '--json', '--config', config], {
    cwd: folder,
    env: { HTTPS_PROXY: proxyUrl() },
  });

it('an authority that is not named is not trusted, by nodes and analysts', async () => {
  const node = await startTown('ash');
  await expect.poll(() => lines.join(''), { timeout: 20_000 }).toContain('"code":"UNTRUSTED"');
  await node.stop();
  const refused = await run('without.yaml');
  expect(refused.code).toBe(4);
  expect(JSON.parse(refused.stdout).error).toMatchObject({
    code: 'UNTRUSTED',
    remedy: expect.stringContaining('`ca:`'),
  });
});

it('a job is answered by an authority that is named, through a proxy that sees nothing of it', async () => {
  for (const town of towns) {
    appendFileSync(join(folder, town, 'node.yaml'), 'ca: ../authority.pem\n');
    nodes.push(await startTown(town));
  }
  const answered = await run('analyst.yaml');
  expect(JSON.parse(answered.stdout)).toMatchObject({ status: 'DONE', rows: [{ people: { exact: '21' } }] });
  const { host } = new URL(JSON.parse(readFileSync(join(folder, 'analyst.yaml'), 'utf8')).coordinator);
  expect(new Set(proxy.asked)).toEqual(new Set([host]));
  const heard = proxy.heard();
  expect(heard.length).toBeGreaterThan(100_000);
  for (const word of ['planning', 'people', 'folkmoot', 'envelope']) expect(heard.includes(word)).toBe(false);
  expect(lines.join('')).not.toContain('secret');
});
