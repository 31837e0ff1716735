/**
 * A DuckDB that lives and dies in this process: nothing is spilled to disk, no extension is fetched from anywhere.
 * @module
 */
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';

/** Runs one statement with `$1` parameters, all of them texts; rows by position, whole numbers as bigint. */
export type RunSql = (text: string, parameters?: readonly string[]) => Promise<readonly (readonly unknown[])[]>;

const settings = {
  temp_directory: '',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
};

export async function inMemory<T>(work: (run: RunSql, database: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(':memory:', settings);
  try {
    const database: DuckDBConnection = await instance.connect();
    try {
      return await work(async (text, parameters = []) => {
        return (await database.runAndReadAll(text, [...parameters])).getRows();
      }, database);
    } finally {
      database.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

/** A path is a pattern to DuckDB; brackets make its special letters plain ones. */
export function plainPath(path: string): string {
  return path.replaceAll(/[[*?]/g, '[$&]');
}
