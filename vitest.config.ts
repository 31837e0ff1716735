import { defineConfig } from 'vitest/config';

/** Tests run on source: the `source` condition maps every package path to its .ts file. */
const conditions = {
  resolve: { conditions: ['source', 'node'] },
  ssr: { resolve: { conditions: ['source', 'node'] } },
};
const everywhere = ['packages/*/test/**', 'test/**'];

export default defineConfig({
  ...conditions,
  test: {
    pool: 'forks',
    maxWorkers: 2,
    execArgv: ['--conditions=source'],
    projects: [
      {
        ...conditions,
        test: {
          name: 'fast',
          include: everywhere.map((folder) => `${folder}/*.test.ts`),
          exclude: ['**/*.slow.test.ts', '**/node_modules/**'],
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        ...conditions,
        test: {
          name: 'slow',
          include: everywhere.map((folder) => `${folder}/*.slow.test.ts`),
          exclude: ['**/node_modules/**'],
          testTimeout: 600_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
