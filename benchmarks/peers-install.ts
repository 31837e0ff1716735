/**
 * Other systems that the benchmarks run beside ours: installed into benchmarks/peers from its own lock file, without
 * running any install script.
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const peers = join(import.meta.dirname, 'peers');

export function installPeers(): void {
  const { dependencies } = JSON.parse(readFileSync(join(peers, 'package.json'), 'utf8'));
  const isThere = Object.keys(dependencies).every((name) => existsSync(join(peers, 'node_modules', name)));
  if (!isThere) execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: peers, stdio: 'inherit' });
}
