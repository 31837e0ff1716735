#!/usr/bin/env node
/**
 * Starts Folkmoot on a Node that can run it, whichever Node the machine starts this file with.
 *
 * Plain JavaScript that old versions parse: it looks at the version first. Where that is too old, the Node of the
 * `node` package (in a node_modules folder upward from here) takes over. A checkout runs its source, which needs
 * `--conditions=source`; a packed install runs dist in this process. The other process hears every signal, gives
 * its exit code back, and ends when this one is gone, since the channel between them closes.
 */
import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const needed = [24, 7];
const self = realpathSync(fileURLToPath(import.meta.url));
const source = path.join(path.dirname(self), '..', 'src', 'main.ts');
const built = path.join(path.dirname(self), '..', 'dist', 'main.js');
const isCheckout = existsSync(source);

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > needed[0] || (major === needed[0] && minor >= needed[1]);
}

/** The pinned Node, looked for beside the real file and beside the link that started it. */
function pinnedNode() {
  const binary = process.platform === 'win32' ? 'node.exe' : 'node';
  for (const start of [self, process.argv[1] || self]) {
    for (let folder = path.dirname(start); ; folder = path.dirname(folder)) {
      const candidate = path.join(folder, 'node_modules', 'node', 'bin', binary);
      if (existsSync(candidate)) return candidate;
      if (folder === path.dirname(folder)) break;
    }
  }
  return undefined;
}

function handOver(node) {
  const flags = isCheckout ? ['--conditions=source'] : [];
  const child = spawn(node, [...flags, self, ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, FOLKMOOT_HANDED_OVER: '1' },
  });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  process.on('disconnect', () => child.disconnect());
  child.on('error', (error) => {
    console.error(`folkmoot: ${node} cannot be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(signal === null ? code : 128 + (constants.signals[signal] || 0)));
}

if (!isNewEnough(process.versions.node)) {
  const node = process.env.FOLKMOOT_HANDED_OVER === undefined ? pinnedNode() : undefined;
  if (node === undefined) {
    console.error(
      `folkmoot needs Node ${needed.join('.')} or later; this is ${process.versions.node}.\n` +
        'Install it from https://nodejs.org, or beside folkmoot with: npm install node@24',
    );
    process.exit(1);
  }
  handOver(node);
} else if (isCheckout && !/(--conditions|-C)[= ]source/.test(process.execArgv.join(' '))) {
  handOver(process.execPath);
} else {
  delete process.env.FOLKMOOT_HANDED_OVER;
  const { main } = await import(pathToFileURL(isCheckout ? source : built).href);
  await main(process.argv.slice(2));
}
