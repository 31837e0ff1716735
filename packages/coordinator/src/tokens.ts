/**
 * The logins of analysts, known to every coordinator of one database.
 *
 * Security  a token stands here by its hash alone, so that who reads the database cannot log in. The key of nonces lets
 *           its reader make one, which is of no use without the signature of an analyst under it
 * @module
 */
import { randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { limits } from './limits.ts';
import type { OpenDatabase, Schema } from './schema.ts';

export interface Token {
  /** Hex SHA-256. */
  readonly hash: string;
  readonly analyst: string;
  /** It was given for this one, which is good for no other. */
  readonly nonce: string;
  readonly untilMs: number;
}

export class Tokens {
  readonly #db: Kysely<Schema>;

  constructor({ queries }: OpenDatabase) {
    this.#db = queries;
  }

  /** The key by which any coordinator knows a nonce that another one made. */
  async nonceKey(): Promise<Uint8Array> {
    const row = { key: 'nonce-key', value: randomBytes(32).toString('hex') };
    const insert = this.#db.insertInto('meta').values(row);
    await insert.onConflict((conflict) => conflict.column('key').doNothing()).execute();
    const query = this.#db.selectFrom('meta').select('value').where('key', '=', row.key);
    return Buffer.from((await query.executeTakeFirstOrThrow()).value, 'hex');
  }

  /** False where the nonce was used before. What has ended is forgotten, and the oldest where there are too many. */
  async add({ hash, analyst, nonce, untilMs }: Token, nowMs: number): Promise<boolean> {
    return this.#db.transaction().execute(async (trx) => {
      await trx.deleteFrom('tokens').where('until_ms', '<=', nowMs).execute();
      const { numInsertedOrUpdatedRows } = await trx
        .insertInto('tokens')
        .values({ hash, analyst, nonce, until_ms: untilMs })
        .onConflict((conflict) => conflict.column('nonce').doNothing())
        .executeTakeFirstOrThrow();
      if (numInsertedOrUpdatedRows !== 1n) return false;
      const kept = trx
        .selectFrom('tokens')
        .select('hash')
        .where('analyst', '=', analyst)
        .orderBy('until_ms', 'desc')
        .orderBy('hash')
        .limit(limits.tokensPerAnalyst);
      await trx.deleteFrom('tokens').where('analyst', '=', analyst).where('hash', 'not in', kept).execute();
      return true;
    });
  }

  async analystOf(hash: string, nowMs: number): Promise<string | undefined> {
    const query = this.#db.selectFrom('tokens').select('analyst').where('hash', '=', hash);
    return (await query.where('until_ms', '>', nowMs).executeTakeFirst())?.analyst;
  }
}
