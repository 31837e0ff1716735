import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bin, folkmoot, start } from './command-line.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A Node older than 24 on this machine, if there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  try {
    return Number(/^v(\d+)/.exec(execFileSync(path, ['--version'], { encoding: 'utf8' }))?.[1]) < 24;
  } catch {
    return false;
  }
});

describe('the bin', () => {
  it('runs the source of a checkout', async () => {
    const { code, stdout } = await folkmoot(['--version']);
    expect({ code, stdout }).toEqual({ code: 0, stdout: '0.1.0\n' });
  });

  it('works through a link', async () => {
    const link = join(folder, 'folkmoot');
    symlinkSync(bin, link);
    expect((await folkmoot(['--version'], { bin: link })).stdout).toBe('0.1.0\n');
  });

  it.runIf(oldNode !== undefined)('hands over to the pinned Node when an older one starts it', async () => {
    const { code, stdout, stderr } = await folkmoot(['--version'], { node: oldNode! });
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '0.1.0\n', stderr: '' });
  });

  it.runIf(oldNode !== undefined)('gives the exit code back through the older Node', async () => {
    expect((await folkmoot(['--no-such-option'], { node: oldNode! })).code).toBe(2);
  });

  it('says how to get a Node when none will do', async () => {
    // A Node that claims to be old, in a tree that has no other.
    const lonely = join(folder, 'lonely.mjs');
    execFileSync('cp', [bin, lonely]);
    const preload = join(folder, 'old.mjs');
    writeFileSync(preload, "Object.defineProperty(process.versions, 'node', { value: '18.19.0' });");
    const wrapper = join(folder, 'node18');
    writeFileSync(wrapper, `#!/bin/sh\nexec '${process.execPath}' --import '${preload}' "$@"\n`);
    chmodSync(wrapper, 0o755);
    const { code, stderr } = await folkmoot(['--version'], { node: wrapper, bin: lonely });
    expect(code).toBe(1);
    expect(stderr).toContain('needs Node 24.7 or later; this is 18.19.0');
    expect(stderr).toContain('npm install node@24');
  });
});

describe('the command line', () => {
  it('shows every command, examples and the exit codes', async () => {
    const { code, stdout } = await folkmoot(['--help']);
    expect(code).toBe(0);
    for (const command of ['demo', 'run', 'keygen', 'charter', 'coordinator', 'node', 'submit', 'watch', 'result']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command}\\b`, 'm'));
    }
    expect(stdout).toContain('Examples:');
    expect(stdout).toContain('130  interrupted');
  });

  it('answers a bad option with exit code 2 and one JSON document', async () => {
    const { code, stdout, stderr } = await folkmoot(['keygen', '--out', folder, '--bogus', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'BAD_USAGE' } });
    expect(stderr).toContain('BAD_USAGE');
  });

  it('refuses an unknown command and a missing one', async () => {
    expect((await folkmoot(['fly'])).code).toBe(2);
    expect((await folkmoot([])).code).toBe(2);
  });

  it('names a file that cannot be read', async () => {
    const { code, stdout } = await folkmoot(['charter', 'verify', join(folder, 'none.json'), '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'FILE_UNREADABLE', field: join(folder, 'none.json') } });
  });

  it('does not mind a reader that leaves early', async () => {
    const { child, finished } = start(['--help']);
    child.stdout!.destroy();
    expect((await finished).stderr).toBe('');
  });
});
