/**
 * What stands below the tables of an answer: what the marks in them mean, which groups are not there, and where figures
 * are rounded or say little.
 * @module
 */
import { type AnswerLike, isNoisy, isRecord, isSuppressed, isTotal, label, withheld } from './answer-row.ts';
import { rowsNeeded } from './protection-text.ts';
import { withThousands } from './table.ts';

/** What the marks in the tables mean, what is not in them, and where the noise is too large. */
export function remarks(
  answers: readonly AnswerLike[],
  groups: readonly string[],
  measures: readonly string[],
): string[] {
  const shortened = answers.filter(({ rows }) => rows.some((row) => measures.some((name) => isSuppressed(row[name]))));
  const first = answers[0]!;
  const remarks = [
    ...shortened.slice(0, 1).map(withheldText),
    ...leftOutText(first, groups),
    ...roundText(first),
    ...warnings(first, groups, measures),
    ...helperText(first),
  ];
  return remarks.length === 0 ? [] : [remarks.join('\n')];
}

function withheldText(answer: AnswerLike): string {
  if (isNoisy(answer)) {
    return `${withheld}: the noisy count behind the figure is below ${rowsNeeded(answer.privacy, answer.threshold)}.`;
  }
  const few = answer.threshold > 1 ? `Fewer than ${answer.threshold} people stand` : 'Nobody stands';
  return [
    `${withheld}: never opened. ${few} behind the figure or behind what it leaves out,`,
    'or it would give another such figure away, or a rule forbids that so few contribute so much.',
  ].join('\n');
}

/** How many groups are not there. Which of them, and why, an answer does not say. */
function leftOutText(answer: AnswerLike, groups: readonly string[]): string[] {
  const { left_out: leftOut = 0, rows, threshold } = answer;
  if (leftOut === 0) return [];
  const listed = rows.filter((row) => !isTotal(row, groups)).length;
  const which = `${leftOut} of ${leftOut + listed} groups`;
  if (isNoisy(answer)) {
    return [
      `${listed === 0 ? 'No group is shown' : `${which} are not shown`}: the job’s conditions leave out their noisy figures.`,
    ];
  }
  const few = threshold > 0 ? ', or what these look at is withheld' : '';
  if (rows.length === 0) return [`Nothing opened: the job’s conditions do not hold${few}.`];
  return [`${which} did not open: the job’s conditions leave them out${few}.`];
}

function roundText({ round }: AnswerLike): string[] {
  if (round === undefined) return [];
  return [
    `Counts and sums are rounded to multiples of ${withThousands(String(round))}, each by itself: parts need not add up.`,
  ];
}

function helperText({ helper }: AnswerLike): string[] {
  return helper === undefined ? [] : [`${helper} dealt the random numbers for it, and brought no records.`];
}

/** A table of many groups is not listed as a whole. */
const placesShown = 6;

function warnings({ rows }: AnswerLike, groups: readonly string[], measures: readonly string[]): string[] {
  const found = measures.flatMap((name) =>
    rows.flatMap((row) => {
      const value = row[name];
      if (!isRecord(value) || typeof value.warning !== 'string') return [];
      return [{ about: `${name}: ${value.warning}`, place: groups.map((group) => label(row[group])).join(' ') }];
    }),
  );
  return [...Map.groupBy(found, ({ about }) => about)].map(([about, places]) => {
    if (groups.length === 0 || places.length === rows.length) return `${about}.`;
    const named = places.slice(0, placesShown).map(({ place }) => place);
    const more = places.length > placesShown ? ` and ${places.length - placesShown} more` : '';
    return `${about} (${named.join(', ')}${more}).`;
  });
}
