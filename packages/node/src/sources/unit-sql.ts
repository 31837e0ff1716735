/**
 * The text that tells persons apart: an identifier in the normal form that the dictionary names for it. An identifier of
 * which nothing is left is as good as none.
 * @module
 */
import type { Column } from '@folkmoot/core/dictionary.js';
import { sql } from 'kysely';
import type { Dialect, Sql } from './dialect.ts';

export function unitSql(column: Column, text: Sql, dialect: Dialect): Sql {
  const form = column.type === 'identifier' ? column.normalise : undefined;
  switch (form) {
    case undefined:
    case 'date':
      return sql`nullif(${text}, '')`;
    case 'digits':
      return sql`nullif(regexp_replace(${text}, '[^0-9]', '', 'g'), '')`;
    case 'upper-alnum':
      return sql`nullif(regexp_replace(upper(${text}), '[^A-Z0-9]', '', 'g'), '')`;
    case 'nfkc-lower':
      return sql`nullif(lower(${dialect.compatible(text)}), '')`;
  }
}
