/**
 * The Palmer penguins (Gorman, Williams, Fraser 2014) of the package `vega-datasets`, in the columns of charter.yaml.
 * @module
 */
import { readFile } from 'node:fs/promises';

export interface Penguin {
  readonly penguin: string;
  readonly island: string;
  readonly species: string;
  /** In mm; null where it was not measured. */
  readonly bill_length: number | null;
}

interface Row {
  readonly Island: string;
  readonly Species: string;
  readonly 'Beak Length (mm)': number | null;
}

export async function readPenguins(): Promise<Penguin[]> {
  // The package exports its program alone; the records lie beside it.
  const file = new URL('../data/penguins.json', import.meta.resolve('vega-datasets'));
  const rows: Row[] = JSON.parse(await readFile(file, 'utf8'));
  return rows.map((row, at) => ({
    penguin: `P${at + 1}`,
    island: row.Island.toLowerCase(),
    species: row.Species,
    bill_length: row['Beak Length (mm)'],
  }));
}
