import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

/** A package may import from those before it; tests may use the testkit as well. */
const packageOrder = ['core', 'transport', 'node', 'coordinator', 'client', 'cli'];
const root = join(import.meta.dirname, '..');

function sources(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|js)$/.test(entry.name) && !entry.parentPath.includes('node_modules'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes('/dist/'))
    .map((path) => ({ path: relative(root, path), text: readFileSync(path, 'utf8') }));
}

/** Comments may speak of clocks; code may not read one. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
}

function imports(text: string): string[] {
  return [...withoutComments(text).matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1]!);
}

function packageNamed(specifier: string): string | undefined {
  const match = /^(?:@folkmoot\/([a-z]+)|(folkmoot))(?:\/|$)/.exec(specifier);
  return match === null ? undefined : (match[1] ?? 'cli');
}

describe('the tree is tidy', () => {
  it('lets a package import only from those before it', () => {
    const upward = packageOrder.flatMap((name, place) =>
      sources(`packages/${name}/src`).flatMap(({ path, text }) =>
        imports(text)
          .map((specifier) => ({ specifier, target: packageNamed(specifier) }))
          .filter(({ target }) => target !== undefined && packageOrder.indexOf(target) >= place)
          .concat(
            imports(text)
              .filter(
                (specifier) =>
                  packageNamed(specifier) !== undefined && !packageOrder.includes(packageNamed(specifier)!),
              )
              .map((specifier) => ({ specifier, target: 'unknown' })),
          )
          .map(({ specifier }) => `${path} imports ${specifier}`),
      ),
    );
    expect(upward).toEqual([]);
  });

  it('names every import that crosses a package by an exported path', () => {
    const bare = packageOrder.flatMap((name) =>
      sources(`packages/${name}/src`).flatMap(({ path, text }) =>
        imports(text)
          .filter((specifier) => packageNamed(specifier) !== undefined && !specifier.endsWith('.js'))
          .map((specifier) => `${path} imports ${specifier}`),
      ),
    );
    expect(bare).toEqual([]);
  });

  it('keeps clocks, chance, timers, files and sockets out of core', () => {
    const ambient =
      /Math\.random|Date\.now|new Date\(\)|performance\.now|setTimeout|setInterval|setImmediate|process\.|globalThis\.crypto|crypto\.getRandomValues|\bfetch\(|new WebSocket/;
    const outside = sources('packages/core/src').flatMap(({ path, text }) => {
      if (path.endsWith('algebra/platform-node.ts') || path.endsWith('algebra/platform-portable.ts')) return [];
      const reached = imports(text).filter((specifier) => specifier.startsWith('node:') || specifier === 'ws');
      const used = ambient.exec(withoutComments(text));
      return [...reached, ...(used === null ? [] : [used[0]])].map((what) => `${path} uses ${what}`);
    });
    expect(outside).toEqual([]);
  });

  it('keeps WebSockets inside transport', () => {
    const users = packageOrder
      .flatMap((name) => sources(`packages/${name}/src`))
      .filter(({ text }) => imports(text).includes('ws'))
      .map(({ path }) => path.split('/')[1]);
    expect([...new Set(users)].sort()).toEqual(['transport']);
  });

  it('gives every file a head that says what it is', () => {
    const headless = packageOrder
      .flatMap((name) => sources(`packages/${name}/src`))
      .filter(({ text }) => !/^(?:#!.*\n)?\/\*\*[\s\S]*?@module[\s\S]*?\*\//.test(text))
      .map(({ path }) => path);
    expect(headless).toEqual([]);
  });

  it('says in every line of a log about a job its state and its attempt', () => {
    // Events of the log have a hyphen in their names, those of a lifecycle have none.
    const line = /\{[^{}]*event: '[a-z]+-[a-z-]+'[^{}]*\}/g;
    const lines = ['node', 'coordinator'].flatMap((name) =>
      sources(`packages/${name}/src`).flatMap(({ path, text }) =>
        (withoutComments(text).match(line) ?? []).map((found) => ({ path, found })),
      ),
    );
    const aboutJobs = lines.filter(({ found }) => /\bjob\b(?!-)/.test(found.replaceAll(/'[^']*'/g, '')));
    expect(aboutJobs.length).toBeGreaterThan(8);
    const short = aboutJobs.filter(({ found }) => !/\bstate\b/.test(found) || !/\battempt\b/.test(found));
    expect(short).toEqual([]);
  });

  it('has no default exports, no `any`, and no file named for nothing', () => {
    const untidy = packageOrder
      .flatMap((name) => sources(`packages/${name}/src`))
      .filter(
        ({ path, text }) =>
          /\/(utils?|helpers?|managers?|types|index|common|misc)\.ts$/.test(path) ||
          /^export default /m.test(text) ||
          /(: any\b|\bas any\b|<any>)/.test(withoutComments(text)),
      )
      .map(({ path }) => path);
    expect(untidy).toEqual([]);
  });
});
