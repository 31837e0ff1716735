/**
 * A coordinator as a process of its own, for a crowd of nodes.
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const bin = join(import.meta.dirname, '../packages/cli/bin/folkmoot.js');

export interface Running {
  readonly child: ChildProcess;
  readonly url: string;
}

/** Starts it on the charter and the state in this folder. */
export async function startCoordinator(folder: string, listen: string): Promise<Running> {
  writeFileSync(
    join(folder, 'coordinator.yaml'),
    JSON.stringify({ charter: './charter.json', listen, state: './state' }),
  );
  const args = ['--conditions=source', bin, 'coordinator', 'coordinator.yaml', '--json'];
  const env = { ...process.env, NODE_OPTIONS: undefined, FOLKMOOT_LOG: 'error' };
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise<string>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the coordinator ended')));
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      const found = /"url":"([^"]+)"/.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
  });
  return { child, url };
}

/** One of its metrics. */
export async function figure(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url.replace(/^ws/, 'http')}/metrics`)).text();
  return Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
}

export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 20));
}
