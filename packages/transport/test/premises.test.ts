import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { diskFinding, freeBytes, privacyFinding } from '../src/premises.ts';

const folder = mkdtempSync(join(tmpdir(), 'folkmoot-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('the premises of a process', () => {
  it('have room, little, or too little', () => {
    const free = freeBytes(folder)!;
    expect(free).toBeGreaterThan(0);
    expect(diskFinding(folder, 'it stops', { warnBytes: 1, failBytes: 1 })).toMatchObject({ level: 'ok' });
    expect(diskFinding(folder, 'it stops', { warnBytes: 2 * free, failBytes: 1 })).toMatchObject({ level: 'warn' });
    expect(diskFinding(folder, 'it stops', { warnBytes: 4 * free, failBytes: 2 * free })).toMatchObject({
      level: 'fail',
      remedy: expect.stringContaining('make room'),
    });
    expect(diskFinding(join(folder, 'none'), 'it stops').level).toBe('ok');
  });

  it('are looked into by their owner alone, or by others too', () => {
    const own = join(folder, 'own');
    mkdirSync(own, { mode: 0o700 });
    expect(privacyFinding('state folder', own)).toMatchObject({ level: 'ok', text: `${own} has mode 0700` });
    chmodSync(own, 0o750);
    expect(privacyFinding('state folder', own)).toMatchObject({ level: 'warn', remedy: `run \`chmod go-rwx ${own}\`` });
    expect(privacyFinding('state folder', join(own, 'none')).level).toBe('ok');
    expect(privacyFinding('state folder', '/dev/null/none')).toMatchObject({ level: 'fail' });
  });
});
