/**
 * docker-compose.yml without an engine: keys and charter by the commands of docs/OPERATING.md, then each service as a
 * process with what its volumes and secrets hold and nothing else, its health asked in the way that the file says.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { folkmoot, type Started, start } from '../packages/cli/test/command-line.ts';

interface Service {
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes: readonly string[];
  readonly secrets?: readonly { readonly source: string; readonly target: string }[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'folkmoot-compose-'));
const { services, secrets } = parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Readonly<Record<string, Service>>;
  secrets: Readonly<Record<string, { readonly file: string }>>;
};
const parties = ['camden', 'hackney', 'islington', 'ncl-health'];
const running: Started[] = [];
/** Ports that are free here, for those that are each container's own. */
const ports = new Map<string, number>();

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What the container sees at a path, as it is here; and its ports. */
function here(service: string, text: string): string {
  const inside = text
    .replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1')
    .replaceAll(/(^|[\s'":])\/(consortium|run\/secrets|var\/lib\/folkmoot)/g, `$1${join(folder, 'root', service)}/$2`);
  return [...ports].reduce((all, [from, to]) => all.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), inside);
}

function mount(service: string): void {
  const { volumes, secrets: mounted = [] } = services[service]!;
  const place = (from: string, to: string) => {
    const target = join(folder, 'root', service, to);
    mkdirSync(dirname(target), { recursive: true });
    cpSync(join(folder, from), target, { recursive: true });
    if (target.endsWith('.yaml')) writeFileSync(target, here(service, readFileSync(target, 'utf8')));
  };
  for (const [from = '', to = ''] of volumes.map((volume) => volume.split(':')))
    if (from.startsWith('.')) place(from, to);
  for (const { source, target } of mounted) place(secrets[source]!.file, target);
  mkdirSync(join(folder, 'root', service, 'var/lib/folkmoot'), { recursive: true });
}

const argumentsOf = (service: string) => services[service]!.command.map((word) => here(service, word));
const isHealthy = async (service: string) => {
  const [, , ...words] = services[service]!.healthcheck!.test;
  return promisify(execFile)(
    process.execPath,
    words.map((word) => here(service, word)),
  ).then(
    () => true,
    () => false,
  );
};

beforeAll(async () => {
  cpSync(join(root, 'nodes'), join(folder, 'nodes'), {
    recursive: true,
    filter: (path) => !/\/(keys|state|charter\.json)$/.test(path),
  });
  for (const party of parties) await folkmoot(['keygen', '--out', `nodes/${party}/keys`], { cwd: folder });
  await folkmoot(['keygen', '--analyst', '--out', 'nodes/housing-analytics/keys'], { cwd: folder });
  await folkmoot(['charter', 'seal', 'nodes/charter.yaml'], { cwd: folder });
  for (const port of ['7700', '9464', '9465', '9466', '9467']) ports.set(port, await freePort());
  for (const service of ['coordinator', ...parties, 'analyst']) mount(service);
});
afterAll(async () => {
  for (const { child } of running) child.kill('SIGTERM');
  await Promise.all(running.map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

describe('the sample consortium, as docker-compose.yml describes it', () => {
  it('becomes healthy, one service after the other', async () => {
    running.push(start(argumentsOf('coordinator'), { cwd: folder }));
    await expect.poll(() => isHealthy('coordinator'), { timeout: 60_000, interval: 500 }).toBe(true);
    for (const party of parties) {
      expect(await isHealthy(party)).toBe(false);
      running.push(start(argumentsOf(party), { cwd: folder }));
    }
    for (const party of parties) {
      await expect.poll(() => isHealthy(party), { timeout: 60_000, interval: 500 }).toBe(true);
    }
  });

  it('answers the analyst, whose own settings are all that is mounted', async () => {
    const config = here('analyst', services.analyst!.environment!.FOLKMOOT_CONFIG!);
    const job = here('analyst', '/consortium/jobs/arrears-by-tenure.yaml');
    const { code, stdout, stderr } = await folkmoot(['submit', job, '--wait', '--json'], {
      cwd: folder,
      env: { FOLKMOOT_CONFIG: config },
    });
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout).rows).toHaveLength(4);
  });
});
