/**
 * The demo consortium's records: residents of three boroughs and the patients of a health board, all made up.
 *
 * `npm run generate` writes them again, the same rows from the same seed. Age, tenure, work, income and arrears depend on
 * each other as they do in life; NHS numbers are of the range 999, which is never given to anyone. Some values are
 * missing, where the dictionary allows it, and a few lie beyond its bounds.
 * @module
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRng } from '@folkmoot/core/prg.js';
import { inMemory } from '@folkmoot/node/in-memory.js';

const seed = 20_261_001;
/** Everything is dated before this day. */
const today = Date.UTC(2026, 9, 1);
const dayMs = 86_400_000;

type Tenure = 'owner' | 'private' | 'social' | 'temporary';

interface Borough {
  readonly rows: number;
  readonly prefix: string;
  readonly wards: readonly string[];
  /** The weights of the tenures, in the dictionary's order. */
  readonly tenures: readonly [number, number, number, number];
  readonly pay: number;
  readonly hardship: number;
}

const boroughs: Readonly<Record<string, Borough>> = {
  camden: {
    rows: 4_200,
    prefix: 'CAM',
    wards: ['Bloomsbury', 'Camden Town', 'Gospel Oak', 'Kilburn', 'Regent’s Park'],
    tenures: [31, 33, 32, 4],
    pay: 1.08,
    hardship: 0.95,
  },
  hackney: {
    rows: 4_600,
    prefix: 'HAC',
    wards: ['Dalston', 'Hoxton', 'Stoke Newington', '"Lea Bridge", east'],
    tenures: [27, 31, 36, 6],
    pay: 0.97,
    hardship: 1.2,
  },
  islington: {
    rows: 3_400,
    prefix: 'ISL',
    wards: ['Barnsbury', 'Finsbury Park', 'Highbury', 'Tufnell Park'],
    tenures: [29, 29, 38, 4],
    pay: 1.02,
    hardship: 1.05,
  },
};

interface Resident {
  readonly nhs: string;
  readonly age: number;
  readonly tenure: Tenure;
  /** In the borough's own column names and texts; null where nothing stands. */
  readonly row: Readonly<Record<string, string | null>>;
}

/** Chance from a seed: the same numbers on every machine. */
class Chance {
  readonly #bytes: (length: number) => Uint8Array;

  constructor(from: number) {
    this.#bytes = seededRng(from);
  }

  /** In [0, 1), in steps of 2^-32. */
  uniform(): number {
    const [a, b, c, d] = this.#bytes(4) as unknown as [number, number, number, number];
    return (a + b * 2 ** 8 + c * 2 ** 16 + d * 2 ** 24) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.uniform() * limit);
  }

  /** After Box and Muller. */
  normal(mean: number, deviation: number): number {
    return mean + deviation * Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  happens(probability: number): boolean {
    return this.uniform() < probability;
  }

  pick<T>(choices: readonly T[], weights: readonly number[] = choices.map(() => 1)): T {
    let left = this.uniform() * weights.reduce((sum, weight) => sum + weight, 0);
    for (const [index, weight] of weights.entries()) {
      left -= weight;
      if (left < 0) return choices[index]!;
    }
    return choices[choices.length - 1]!;
  }
}

function ageOf(chance: Chance): number {
  if (chance.happens(0.16)) return chance.below(18);
  for (;;) {
    const age = Math.floor(chance.normal(43, 17.5));
    if (age >= 18 && age <= 101) return age;
  }
}

function tenureOf(chance: Chance, age: number, [owner, rented, social, temporary]: Borough['tenures']): Tenure {
  const settled = age < 18 ? 0.8 : Math.min(2.2, 0.25 + (age - 18) / 28);
  const mobile = age < 18 ? 0.8 : Math.max(0.2, 1.9 - (age - 18) / 30);
  return chance.pick(
    ['owner', 'private', 'social', 'temporary'],
    [owner * settled, rented * mobile, social, temporary * (age < 18 ? 2 : mobile)],
  );
}

const inWork: Readonly<Record<Tenure, number>> = { owner: 0.85, private: 0.81, social: 0.56, temporary: 0.37 };
const usualPay: Readonly<Record<Tenure, number>> = {
  owner: 47_000,
  private: 36_500,
  social: 24_500,
  temporary: 18_500,
};

function isEmployed(chance: Chance, age: number, tenure: Tenure): boolean {
  if (age < 16) return false;
  if (age < 18) return chance.happens(0.12);
  if (age < 25) return chance.happens(inWork[tenure] - 0.14);
  return chance.happens(age < 66 ? inWork[tenure] : 0.11);
}

/** Pounds a year; null where none is known. */
function incomeOf(chance: Chance, age: number, tenure: Tenure, employed: boolean, pay: number): number | null {
  if (age < 16 || chance.happens(0.045)) return null;
  if (!employed) {
    return age >= 66 ? Math.exp(chance.normal(Math.log(14_500), 0.35)) : Math.exp(chance.normal(Math.log(8_900), 0.3));
  }
  const career = 0.62 + 0.76 * Math.exp(-(((age - 47) / 21) ** 2) / 2);
  return Math.exp(chance.normal(Math.log(usualPay[tenure] * pay * career), 0.46)) * (chance.happens(0.002) ? 8 : 1);
}

const strain: Readonly<Record<Tenure, number>> = { owner: -3.4, private: -1.5, social: -0.35, temporary: 0.5 };

/** Pounds owed; null where the account has no balance. */
function arrearsOf(
  chance: Chance,
  age: number,
  tenure: Tenure,
  income: number | null,
  hardship: number,
): number | null {
  if (age < 18) return 0;
  if (chance.happens(0.02)) return null;
  const shortage = 1 - Math.min(income ?? 12_000, 60_000) / 30_000;
  const owes = 1 / (1 + Math.exp(-(strain[tenure] + 0.9 * shortage)));
  if (!chance.happens(owes)) return 0;
  const typical =
    { owner: 420, private: 690, social: 610, temporary: 1_150 }[tenure] * hardship * Math.exp(0.35 * shortage);
  return Math.exp(chance.normal(Math.log(typical), 0.85)) * (chance.happens(0.003) ? 20 : 1);
}

const usualStay: Readonly<Record<Tenure, number>> = { owner: 14, private: 3.2, social: 10, temporary: 0.8 };

function movedInOf(chance: Chance, age: number, tenure: Tenure): string {
  const years = Math.min(-Math.log(1 - chance.uniform()) * usualStay[tenure], age + 0.5, 75);
  return new Date(today - Math.ceil(years * 365.25) * dayMs).toISOString().slice(0, 10);
}

/** Ten digits of the range kept for tests, the last one the check digit. */
function nhsNumber(chance: Chance, taken: Set<string>): string {
  for (;;) {
    const nine = `999${String(chance.below(1_000_000)).padStart(6, '0')}`;
    const sum = [...nine].reduce((total, digit, index) => total + Number(digit) * (10 - index), 0);
    const check = (11 - (sum % 11)) % 11;
    if (check === 10 || taken.has(nine)) continue;
    taken.add(nine);
    return `${nine}${check}`;
  }
}

const pounds = (amount: number | null): string | null => (amount === null ? null : amount.toFixed(2));

function residentsOf(chance: Chance, borough: Borough, taken: Set<string>): Resident[] {
  return Array.from({ length: borough.rows }, (_, index) => {
    const age = ageOf(chance);
    const tenure = tenureOf(chance, age, borough.tenures);
    const employed = isEmployed(chance, age, tenure);
    const income = incomeOf(chance, age, tenure, employed, borough.pay);
    const nhs = nhsNumber(chance, taken);
    const row = {
      id: `${borough.prefix}-${String(100_000 + index * 7 + chance.below(7))}`,
      // One of the boroughs writes the number as its letters do; the dictionary's `digits` makes them alike.
      nhs_no: borough.prefix === 'CAM' ? `${nhs.slice(0, 3)} ${nhs.slice(3, 6)} ${nhs.slice(6)}` : nhs,
      ward: chance.pick(borough.wards),
      age: String(age),
      tenure,
      rent_arrears_gbp: pounds(arrearsOf(chance, age, tenure, income, borough.hardship)),
      income: pounds(income),
      employed: String(employed),
      moved_in: movedInOf(chance, age, tenure),
    };
    return { nhs, age, tenure, row };
  });
}

type PatientRow = Readonly<Record<'nhs_number' | 'sex' | 'conditions' | 'annual_cost', string>>;

/** Most residents are known to the health board, and so are some who live elsewhere. */
function patientsOf(chance: Chance, residents: readonly Resident[], taken: Set<string>): PatientRow[] {
  const known = residents.filter(() => chance.happens(0.36));
  const elsewhere = Array.from({ length: 700 }, () => ({
    nhs: nhsNumber(chance, taken),
    age: ageOf(chance),
    tenure: chance.pick<Tenure>(['owner', 'private', 'social', 'temporary'], [35, 30, 31, 4]),
  }));
  return [...known, ...elsewhere]
    .map(({ nhs, age, tenure }) => {
      const burden = 0.15 + age / 38 + (tenure === 'temporary' ? 0.9 : tenure === 'social' ? 0.35 : 0);
      let conditions = 0;
      for (let left = Math.exp(-burden), hit = chance.uniform(); hit > left && conditions < 15; hit -= left) {
        left *= burden / ++conditions;
      }
      const cost = Math.exp(chance.normal(Math.log(260 * (1 + conditions) ** 1.25), 0.8));
      const sex = chance.pick(['female', 'male'], [52, 48]);
      return { nhs_number: nhs, sex, conditions: String(conditions), annual_cost: cost.toFixed(2) };
    })
    .sort((a, b) => (a.nhs_number < b.nhs_number ? -1 : 1));
}

function csvOf(rows: readonly Readonly<Record<string, string | null>>[]): string {
  const names = Object.keys(rows[0]!);
  const field = (text: string | null): string =>
    text === null ? '' : /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  return [names, ...rows.map((row) => names.map((name) => row[name]!))]
    .map((line) => `${line.map(field).join(',')}\n`)
    .join('');
}

/** A Parquet file with the types that the expressions give its columns. */
async function writeParquet(
  path: string,
  rows: readonly Readonly<Record<string, string | null>>[],
  columns: string,
): Promise<void> {
  const csv = `${path}.csv`;
  await writeFile(csv, csvOf(rows));
  try {
    const texts = Object.keys(rows[0]!).map((name) => `'${name}': 'VARCHAR'`);
    await inMemory((run) =>
      run(`COPY (SELECT ${columns} FROM read_csv('${csv}', auto_detect = false, header = true, columns = {${texts.join(', ')}}))
        TO '${path}' (FORMAT parquet, COMPRESSION zstd)`),
    );
  } finally {
    await rm(csv);
  }
}

/** Writes all the records below the folder, a `data` folder a party. */
export async function generate(folder: string): Promise<void> {
  const chance = new Chance(seed);
  const taken = new Set<string>();
  const data = async (party: string): Promise<string> => {
    await mkdir(join(folder, party, 'data'), { recursive: true });
    return join(folder, party, 'data');
  };
  const camden = residentsOf(chance, boroughs.camden!, taken);
  const hackney = residentsOf(chance, boroughs.hackney!, taken);
  const islington = residentsOf(chance, boroughs.islington!, taken);
  const rows = (residents: readonly Resident[]) => residents.map(({ row }) => row);
  await writeFile(join(await data('camden'), 'residents.csv'), csvOf(rows(camden)));
  await writeParquet(
    join(await data('hackney'), 'residents.parquet'),
    rows(hackney),
    `id, nhs_no, ward, CAST(age AS UTINYINT) AS age, tenure, CAST(rent_arrears_gbp AS DECIMAL(12, 2)) AS rent_arrears_gbp,
      CAST(income AS DECIMAL(12, 2)) AS income, CAST(employed AS BOOLEAN) AS employed, CAST(moved_in AS DATE) AS moved_in`,
  );
  await writeFile(join(await data('islington'), 'residents.csv'), csvOf(rows(islington)));
  await writeParquet(
    join(await data('ncl-health'), 'patients.parquet'),
    patientsOf(chance, [...camden, ...hackney, ...islington], taken),
    `nhs_number, sex, CAST(conditions AS UTINYINT) AS conditions, CAST(annual_cost AS DECIMAL(12, 2)) AS annual_cost`,
  );
}

if (import.meta.main) await generate(import.meta.dirname);
