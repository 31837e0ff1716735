/**
 * Compiles the kernels: `npm run kernels` writes `src/kernels/module.generated.ts`, and a test compares it byte for byte.
 *
 * The module needs nothing from outside and starts with one page of memory, which its wrapper grows.
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { main } from 'assemblyscript/asc';

const target = join(import.meta.dirname, '..', 'src', 'kernels', 'module.generated.ts');
const options = [
  '--outFile',
  'kernels.wasm',
  '-O3',
  '--converge',
  '--runtime',
  'stub',
  '--enable',
  'simd',
  '--noAssert',
];

/** The text of the generated file. */
export async function generatedModule(): Promise<string> {
  const source = readFileSync(join(import.meta.dirname, 'kernels.ts'), 'utf8');
  let module: Uint8Array | undefined;
  const { error, stderr } = await main(['kernels.ts', ...options], {
    readFile: (name) => (name === 'kernels.ts' ? source : null),
    writeFile(_name, contents) {
      module = contents as Uint8Array;
    },
    listFiles: () => [],
  });
  if (error !== null || module === undefined) throw new Error(`the kernels do not compile:\n${stderr.toString()}`);
  const text = Buffer.from(module).toString('base64');
  return `/** ${module.length} bytes, compiled from \`assembly/kernels.ts\` by \`npm run kernels\`. @module */\nexport const moduleBase64 =\n  '${text}';\n`;
}

if (import.meta.main) writeFileSync(target, await generatedModule());
