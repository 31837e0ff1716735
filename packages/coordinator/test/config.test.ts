import { describe, expect, it } from 'vitest';
import { isLoopback, parseConfig, readConfig } from '../src/config.ts';

const good = 'charter: ../charter.json\nlisten: 127.0.0.1:7700\nstate: ./state\n';
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as { field?: string }).field ?? ''}`.trim();
  }
  return 'none';
};

describe('coordinator.yaml', () => {
  it('is read with paths relative to itself', () => {
    expect(parseConfig(good, '/etc/moot/coordinator')).toEqual({
      charter: '/etc/moot/charter.json',
      host: '127.0.0.1',
      port: 7700,
      state: { folder: '/etc/moot/coordinator/state' },
    });
  });

  it('gives way to what the caller sets', () => {
    const config = parseConfig(good, '/etc/moot', { listen: '127.0.0.1:0', state: '/tmp/s', charter: '/tmp/c.json' });
    expect(config).toEqual({ charter: '/tmp/c.json', host: '127.0.0.1', port: 0, state: { folder: '/tmp/s' } });
  });

  it('refuses to listen in plain beyond loopback, unless a TLS proxy stands before it', () => {
    const open = good.replace('127.0.0.1', '0.0.0.0');
    expect(codeOf(() => parseConfig(open, '/'))).toBe('INSECURE_URL listen');
    expect(codeOf(() => parseConfig(good, '/', { listen: '0.0.0.0:7700' }))).toBe('INSECURE_URL listen');
    expect(parseConfig(`${open}behind_tls_proxy: true\n`, '/').host).toBe('0.0.0.0');
  });

  it('knows what loopback is', () => {
    for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]']) expect(isLoopback(host)).toBe(true);
    for (const host of ['0.0.0.0', '127.0.0.1.example.org', '10.0.0.1', '[::]', 'localhost.example']) {
      expect(isLoopback(host)).toBe(false);
    }
  });

  it('names the variable that holds the address of a PostgreSQL, and no address', () => {
    const text = good.replace('./state', '{ postgres: { url_env: FOLKMOOT_DATABASE_URL } }');
    expect(parseConfig(text, '/').state).toEqual({ urlEnv: 'FOLKMOOT_DATABASE_URL' });
    const withAddress = good.replace('./state', '{ postgres: { url: "postgres://moot" } }');
    expect(codeOf(() => parseConfig(withAddress, '/'))).toMatch(/^(BAD_VALUE|UNKNOWN_KEY) state/);
  });

  it('names what is wrong', () => {
    expect(codeOf(() => parseConfig(`${good}colour: red\n`, '/'))).toBe('UNKNOWN_KEY colour');
    expect(codeOf(() => parseConfig(`${good}state: ./b\n`, '/'))).toBe('DUPLICATE_KEY state');
    expect(codeOf(() => parseConfig(good.replace('7700', 'abc'), '/'))).toBe('BAD_VALUE listen');
    expect(codeOf(() => parseConfig(good.replace('7700', '77000'), '/'))).toBe('BAD_VALUE listen');
    expect(codeOf(() => parseConfig('charter: [', '/'))).toMatch(/^BAD_SYNTAX/);
    expect(codeOf(() => readConfig('/nowhere/coordinator.yaml'))).toBe('BAD_VALUE config');
  });
});
