/**
 * The table `texts` of a copy (see `Original`), filled row by row.
 * @module
 */
import type { Copying } from './source.ts';

export interface TextTable {
  /** One text for each column; null where there is none. */
  add(texts: readonly (string | null)[]): void;
  end(): void;
}

export async function textTable({ run, database }: Copying, columns: number): Promise<TextTable> {
  const declared = Array.from({ length: columns }, (_, index) => `t${index} VARCHAR, `).join('');
  // A table is never without a column.
  await run(`CREATE TEMP TABLE texts (${declared}one INTEGER)`);
  const appender = await database.createAppender('texts');
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
