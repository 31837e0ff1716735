/**
 * A table of texts in memory, filled row by row: `texts` is that of a copy (see `Original`).
 * @module
 */
import type { Copying } from './source.ts';

export interface TextTable {
  /** One text for each column; null where there is none. */
  add(texts: readonly (string | null)[]): void;
  end(): void;
}

/** Of the columns `t0`, `t1`… and `one`. */
export async function textTable({ run, database }: Copying, columns: number, name = 'texts'): Promise<TextTable> {
  const declared = Array.from({ length: columns }, (_, index) => `t${index} VARCHAR, `).join('');
  // A table is never without a column.
  await run(`CREATE TEMP TABLE ${name} (${declared}one INTEGER)`);
  const appender = await database.createAppender(name);
  return {
    add(texts) {
      for (const text of texts) {
        if (text === null) appender.appendNull();
        else appender.appendVarchar(text);
      }
      appender.appendInteger(1);
      appender.endRow();
    },
    end: () => appender.closeSync(),
  };
}
