/**
 * A party's own records against the charter's dictionary, column by column: is it there, has it the form, are its nulls
 * and its bounds allowed. No value is told, nor how many there are of one.
 * @module
 */
import type { Dataset } from '@folkmoot/core/dictionary.js';
import { SourceError } from '@folkmoot/core/errors.js';
import { type Finding, failed, looked, ok } from '@folkmoot/transport/finding.js';
import type { Original } from './sources/source.ts';
import { type Binding, openSource, type Surroundings } from './sources/source-binding.ts';

const everywhere = { kind: 'true' } as const;
const count = { of: 'rows', product: [], where: everywhere } as const;

/** One line for the dataset, then one a column. */
export async function sourceFindings(
  dataset: Dataset,
  binding: Binding,
  surroundings: Omit<Surroundings, 'dataset'>,
): Promise<Finding[]> {
  const check = `source ${dataset.name}`;
  let source: Original;
  try {
    source = openSource(binding, { ...surroundings, dataset });
  } catch (error) {
    return [failed(check, error)];
  }
  try {
    const reached = await looked(check, async () => {
      const rows = await source.rows();
      if (rows > dataset.max_rows) throw new SourceError('SOURCE_TOO_MANY_ROWS', { field: dataset.name });
      return ok(check, 'can be read');
    });
    if (reached.level === 'fail') return [reached];
    const findings = [reached];
    for (const name of Object.keys(dataset.columns)) findings.push(await columnFinding(source, dataset, name));
    // By itself a column shows what is wrong with it; here a person's rows are counted as well.
    findings.push(
      await looked(`${check} rows`, async () => {
        await source.query(queryOf(dataset, []), dataset, false);
        const { unit, max_rows_per_unit } = dataset;
        return ok(
          `${check} rows`,
          unit === 'row' ? 'as many as agreed' : `${max_rows_per_unit} or fewer a \`${unit}\``,
        );
      }),
    );
    return findings;
  } finally {
    await source.close();
  }
}

function columnFinding(source: Original, dataset: Dataset, name: string): Promise<Finding> {
  const column = dataset.columns[name]!;
  const check = `column ${dataset.name}.${name}`;
  return looked(check, async () => {
    // An identifier is matched and never a value: all that can be said of it is that it is there.
    if (column.type === 'identifier') {
      await source.rows(name);
      return ok(check, 'identifier, present');
    }
    await source.query(queryOf(dataset, [name]), { ...dataset, unit: 'row' }, false);
    const nulls = column.nulls === 'refuse' ? 'no nulls' : `nulls: ${column.nulls}`;
    return ok(check, `${column.type}, ${nulls}`);
  });
}

function queryOf(dataset: Dataset, columns: readonly string[]) {
  const { name } = dataset;
  return { dataset: name, columns, where: everywhere, groups: [], cells: 1, statistics: [count], ownParty: null };
}
