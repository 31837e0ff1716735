/**
 * Writes docs/job.schema.json, the JSON Schema of a job, from the program's own: `npm run docs`. A test compares the two.
 * @module
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobJsonSchema } from '@folkmoot/core/job.js';

if (import.meta.main) {
  writeFileSync(join(import.meta.dirname, 'job.schema.json'), `${JSON.stringify(jobJsonSchema(), null, 2)}\n`);
}
