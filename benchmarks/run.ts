/**
 * `npm run bench` runs every subject, one after the other; `npm run bench -- joint-sum` runs one.
 * @module
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { machine } from './machine.ts';

const subjects = ['joint-sum', 'many-parties', 'ot', 'circuits', 'psi', 'peers', 'noise', 'coordinator'];

const [wanted, ...options] = process.argv.slice(2);
if (wanted !== undefined && !subjects.includes(wanted)) {
  console.error(`unknown subject; there are: ${subjects.join(', ')}`);
  process.exit(2);
}

console.log(`machine: ${machine()}\n`);
for (const subject of wanted === undefined ? subjects : [wanted]) {
  const file = join(import.meta.dirname, `${subject}.ts`);
  const { status } = spawnSync(process.execPath, [...process.execArgv, file, ...options], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
