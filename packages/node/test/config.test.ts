import { chmodSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { toHex } from '@folkmoot/core/bytes.js';
import { publicKeyOf } from '@folkmoot/core/identity.js';
import { seededRng } from '@folkmoot/core/prg.js';
import { makeKeys, writeKeys } from '@folkmoot/transport/keyring.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { capsOf } from '../src/budget.ts';
import { parseNodeConfig, readMembership, readNodeConfig } from '../src/config.ts';
import { type Consortium, makeConsortium, nodeYaml } from './consortium.ts';

const file = '/srv/folkmoot/camden/node.yaml';
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('node.yaml', () => {
  it('gives paths relative to the file, and rules and bindings as written', () => {
    const config = parseNodeConfig(nodeYaml('camden'), file);
    expect(config).toMatchObject({
      party: 'camden',
      charter: '/srv/folkmoot/charter.json',
      keys: '/srv/folkmoot/camden/keys',
      state: '/srv/folkmoot/camden/state',
      folder: '/srv/folkmoot/camden',
      coordinators: ['ws://127.0.0.1:7700'],
      approve: false,
    });
    expect(config.datasets.residents).toMatchObject({ period: '2026-Q4', columns: { person: 'id' } });
    expect(config.policy.rules[0]).toMatchObject({ name: 'statistics', min_parties: 3 });
  });

  it('lets the caller override keys, state, charter, coordinator and approval', () => {
    const overrides = {
      keys: '/tmp/keys',
      state: '/tmp/state',
      charter: '/tmp/charter.json',
      coordinator: 'ws://127.0.0.1:9',
      approve: true,
    };
    const { coordinator, ...rest } = overrides;
    expect(parseNodeConfig(nodeYaml('camden'), file, overrides)).toMatchObject({
      ...rest,
      coordinators: [coordinator],
    });
  });

  it('uses the cores of the machine unless it says how many', () => {
    expect(parseNodeConfig(nodeYaml('camden'), file).cores).toBe(availableParallelism());
    expect(parseNodeConfig(`${nodeYaml('camden')}cores: 3\n`, file).cores).toBe(3);
    for (const cores of ['0', '-1', '1.5', 'all', '1025']) {
      expect(() => parseNodeConfig(`${nodeYaml('camden')}cores: ${cores}\n`, file)).toThrow(code('BAD_VALUE'));
    }
  });

  it('listens to its owner on loopback, at a port of the system’s choice unless it names one', () => {
    expect(parseNodeConfig(nodeYaml('camden'), file).owner).toEqual({ host: '127.0.0.1', port: 0 });
    const named = `${nodeYaml('camden')}owner: localhost:7711\n`;
    expect(parseNodeConfig(named, file).owner).toEqual({ host: 'localhost', port: 7711 });
    expect(parseNodeConfig(named, file, { owner: '[::1]:0' }).owner).toEqual({ host: '[::1]', port: 0 });
    for (const owner of ['0.0.0.0:1', 'camden.example:80', '127.0.0.1', '127.0.0.1:65536', '127.0.0.1:-1']) {
      expect(() => parseNodeConfig(`${nodeYaml('camden')}owner: ${owner}\n`, file)).toThrow(code('BAD_VALUE'));
    }
  });

  it('serves its metrics on loopback, and elsewhere only where a proxy is said to stand before it', () => {
    const at = (metrics: string) => parseNodeConfig(`${nodeYaml('camden')}metrics: ${metrics}\n`, file).metrics;
    expect(parseNodeConfig(nodeYaml('camden'), file).metrics).toBeUndefined();
    expect(at('127.0.0.1:9464')).toEqual({ host: '127.0.0.1', port: 9464 });
    expect(at('{ listen: "[::1]:0" }')).toEqual({ host: '[::1]', port: 0 });
    expect(at('{ listen: 0.0.0.0:9464, behind_tls_proxy: true }')).toEqual({ host: '0.0.0.0', port: 9464 });
    expect(() => at('0.0.0.0:9464')).toThrow(code('INSECURE_URL'));
    expect(() => at('{ listen: 10.0.0.1:9464 }')).toThrow(code('INSECURE_URL'));
    for (const bad of ['9464', '127.0.0.1:65536', '127.0.0.1', 'true'])
      expect(() => at(bad)).toThrow(code('BAD_VALUE'));
  });

  it('lists the people who approve, as many as a rule asks for', () => {
    expect(parseNodeConfig(nodeYaml('camden'), file).approvers).toEqual({});
    const [ada, ben] = ['ada', 'ben'].map((who, at) => {
      const identity = toHex(publicKeyOf(new Uint8Array(32).fill(at + 1)));
      return `  ${who}: { name: ${who}, identity: ${identity} }\n`;
    }) as [string, string];
    const two = nodeYaml('camden', 'manual\n      approvers: 2');
    expect(Object.keys(parseNodeConfig(`${two}approvers:\n${ada}${ben}`, file).approvers)).toEqual(['ada', 'ben']);
    const tooFew = expect.objectContaining({ code: 'BAD_VALUE', field: 'policy.rules[0].approvers' });
    for (const text of [two, `${two}approvers:\n${ada}`]) expect(() => parseNodeConfig(text, file)).toThrow(tooFew);
    const one = `${two}approvers:\n${ada}${ada.replace('ada', 'eve')}`;
    expect(() => parseNodeConfig(one, file)).toThrow(expect.objectContaining({ field: 'approvers.eve.identity' }));
    const bad = ada.replace(/[0-9a-f]{64}/, 'ff'.repeat(32));
    expect(() => parseNodeConfig(`${nodeYaml('camden')}approvers:\n${bad}`, file)).toThrow(code('BAD_KEY'));
  });

  it('names an unknown or repeated key with its line and column', () => {
    expect(() => parseNodeConfig(`${nodeYaml('camden')}extra: 1\n`, file)).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_KEY', field: 'extra', line: 26, column: 1 }),
    );
    expect(() => parseNodeConfig(nodeYaml('camden').replace('min_group', 'min_parties'), file)).toThrow(
      expect.objectContaining({ code: 'DUPLICATE_KEY', line: 24 }),
    );
    expect(() => parseNodeConfig(nodeYaml('camden').replace('state: ./state\n', ''), file)).toThrow(code('BAD_VALUE'));
  });

  it.each([
    ['{ epsilon: 20 }', undefined],
    ['{ epsilon: 20, delta: 0.00001, per_analyst: { epsilon: 10, delta: 0.000001 } }', undefined],
    ['{ rho: 0.5, per_analyst: { rho: 0.1 } }', undefined],
    ['{}', 'BAD_VALUE'],
    ['{ epsilon: 0 }', 'BAD_VALUE'],
    ['{ epsilon: -1 }', 'BAD_VALUE'],
    ['{ epsilon: .nan }', 'BAD_VALUE'],
    ['{ epsilon: "1e400" }', 'BAD_VALUE'],
    ['{ epsilon: 1, delta: 1 }', 'BAD_VALUE'],
    ['{ epsilon: 1, rho: 1 }', 'UNKNOWN_KEY'],
    ['{ rho: 1, delta: 0.1 }', 'UNKNOWN_KEY'],
    ['{ rho: 1, per_analyst: { epsilon: 1 } }', 'UNKNOWN_KEY'],
  ])('takes or refuses the budget %s', (budget, wanted) => {
    const text = nodeYaml('camden').replace(/budget: .*/, `budget: ${budget}`);
    if (wanted === undefined) expect(parseNodeConfig(text, file).datasets.residents!.budget).toBeDefined();
    else expect(() => parseNodeConfig(text, file)).toThrow(code(wanted));
  });

  it('counts a budget down to what the ledger can spend of it, and an analyst’s δ by that of all', () => {
    expect(capsOf({ epsilon: 0.1234567, delta: 0.000001, per_analyst: { epsilon: 0.1 } })).toEqual({
      total: { micro: 123_456n, pico: 1_000_000n },
      perAnalyst: { micro: 100_000n, pico: 1_000_000n },
    });
    expect(capsOf({ rho: 2.5 })).toEqual({ total: { micro: 2_500_000n, pico: 0n }, perAnalyst: null });
  });

  it.each(['2026 Q4', '../up', '', 'x'.repeat(51)])('refuses the period “%s”', (period) => {
    const text = nodeYaml('camden').replace('2026-Q4', `"${period}"`);
    expect(() => parseNodeConfig(text, file)).toThrow(code('BAD_VALUE'));
  });

  it.each(['ws://folkmoot.example:7700', 'http://folkmoot.example', 'ws://127.0.0.1.example', 'ws://10.0.0.1'])(
    'refuses the plain address %s',
    (coordinator) => {
      expect(() => parseNodeConfig(nodeYaml('camden'), file, { coordinator })).toThrow(code('INSECURE_URL'));
    },
  );

  it.each(['ws://127.0.0.1:1', 'ws://localhost:1', 'ws://[::1]:1', 'wss://folkmoot.example'])(
    'takes the address %s',
    (coordinator) => {
      expect(parseNodeConfig(nodeYaml('camden'), file, { coordinator }).coordinators).toEqual([coordinator]);
    },
  );

  it('lists several coordinators, each once and all safe', () => {
    const listing = (list: string) =>
      parseNodeConfig(nodeYaml('camden').replace('ws://127.0.0.1:7700', list), file).coordinators;
    const two = ['wss://a.example', 'wss://b.example/moot'];
    expect(listing(JSON.stringify(two))).toEqual(two);
    expect(() => listing('[]')).toThrow(code('BAD_VALUE'));
    expect(() => listing('[wss://a.example, "wss://a.example/"]')).toThrow(code('BAD_VALUE'));
    expect(() => listing('[wss://a.example, ws://b.example]')).toThrow(code('INSECURE_URL'));
  });

  it.each(['camden', 'ftp://folkmoot.example', 'wss://name:word@folkmoot.example'])(
    'refuses %s as an address',
    (coordinator) => {
      expect(() => parseNodeConfig(nodeYaml('camden'), file, { coordinator })).toThrow(code('BAD_VALUE'));
    },
  );
});

describe('membership', () => {
  let consortium: Consortium;
  beforeAll(async () => {
    consortium = await makeConsortium(1);
  });
  afterAll(() => consortium.dispose());
  const config = (overrides = {}) => readNodeConfig(consortium.configFile('camden'), overrides);

  it('is a sealed charter and keys that stand in it', async () => {
    const membership = await readMembership(await config());
    expect(membership.charter.charter).toBe('Test');
    expect(membership.keys.public).toEqual(consortium.partyKeys.get('camden')!.public);
  });

  it('refuses a charter that was changed after sealing', async () => {
    const text = await readFile(join(consortium.folder, 'charter.json'), 'utf8');
    const charter = join(consortium.folder, 'changed.json');
    await writeFile(charter, text.replace('"max_rows":1000', '"max_rows":9000'));
    await expect(readMembership(await config({ charter }))).rejects.toThrow(code('CHARTER_CHANGED'));
  });

  it('refuses the keys of another party, of an analyst, and keys that others can read', async () => {
    const other = join(consortium.folder, 'hackney', 'keys');
    await expect(readMembership(await config({ keys: other }))).rejects.toThrow(code('KEY_MISMATCH'));
    const analyst = join(consortium.folder, 'analyst-keys');
    await writeKeys(analyst, await makeKeys('analyst', seededRng(9)));
    await expect(readMembership(await config({ keys: analyst }))).rejects.toThrow(code('KEY_MISMATCH'));
    chmodSync(join(analyst, 'secret.json'), 0o644);
    await expect(readMembership(await config({ keys: analyst }))).rejects.toThrow(code('KEY_FILE_EXPOSED'));
  });

  it('refuses a party, a dataset or a rule that the charter does not know', async () => {
    const folder = join(consortium.folder, 'stranger');
    await mkdir(folder, { recursive: true });
    const write = async (text: string) => {
      await writeFile(join(folder, 'node.yaml'), text);
      return readMembership(await readNodeConfig(join(folder, 'node.yaml'), { keys: '/nowhere' }));
    };
    await expect(write(nodeYaml('stranger'))).rejects.toThrow(code('UNKNOWN_PARTY'));
    await expect(write(nodeYaml('camden').replaceAll('residents', 'tenants'))).rejects.toThrow(code('UNKNOWN_DATASET'));
    await expect(write(nodeYaml('camden').replace('[arrears, age]', '[arrear]'))).rejects.toThrow(
      code('UNKNOWN_COLUMN'),
    );
  });

  it('names a file that cannot be read', async () => {
    await expect(readNodeConfig(join(consortium.folder, 'none.yaml'))).rejects.toThrow(code('FILE_UNREADABLE'));
    await expect(readMembership(await config({ charter: '/nowhere/charter.json' }))).rejects.toThrow(
      code('FILE_UNREADABLE'),
    );
  });
});
