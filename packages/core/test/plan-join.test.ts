/** The plan of a join in the words that people approve. */
import { describe, expect, it } from 'vitest';
import { parseCharter } from '../src/query/charter.ts';
import { type Plan, plan, renderMatching, renderPlan } from '../src/query/plan.ts';
import type { SetClasses } from '../src/query/plan-join.ts';
import { judge, usesOf } from '../src/query/policy.ts';
import { setClassFor, setClassMax } from '../src/query/set-class.ts';
import { charter, charterWith, checkedJob, joinYaml, policyOf, policyYaml, replaced } from './consortium.ts';

const analyst = 'housing-analytics';

interface Given {
  readonly under?: typeof charter;
  readonly setClasses?: SetClasses;
}
function planFor(text: string, { under = charter, setClasses = {} }: Given = {}): Plan {
  return plan({ checked: checkedJob(text, under), analyst, setClasses });
}
/** The text without its line breaks, to look for sentences in. */
const flat = (made: Plan) => renderPlan(made).replace(/\s+/g, ' ');

const body = joinYaml.slice(joinYaml.indexOf('group_by'));
/** The sample's join, with these lines about what is asked. */
const asked = (lines: string) => joinYaml.replace(body, `${lines}\n`);
const revealYaml = asked('where: { left.age: { gte: 18 } }\nmeasures: { n: count }\nreveal: matches');

const bounded = ['nhs_number: { type: identifier, normalise: digits }', 'max_rows_per_key: 3 }'] as const;
const charterOf = (...changes: readonly (readonly [string, string])[]) => parseCharter(charterWith(...changes), 'c');
const withRows = charterOf([bounded[0], bounded[0].replace(' }', `, ${bounded[1]}`)]);
const withCheck = parseCharter(charterWith().replaceAll('normalise: digits }', 'normalise: digits, check: nhs }'), 'c');

describe('the plan of a hidden join', () => {
  const made = planFor(joinYaml, { setClasses: { left: 25 } });
  const text = flat(made);

  it('names both datasets, what people are matched on, and by whose permission', () => {
    expect(text).toContain(
      'People in `residents` of camden (the left side) are matched with people in `patients` of ncl-health (the right side) on `nhs_number`. The charter permits it to these two: Caldicott Guardian, DSA-2026-014.',
    );
    expect(text).toContain(
      'It concerns people who are both in `residents` of camden and `patients` of ncl-health, grouped by camden’s tenure (4 values).',
    );
    const unreferenced = charterOf(['    reference: DSA-2026-014\n', '']);
    expect(flat(planFor(joinYaml, { under: unreferenced }))).toContain('to these two: Caldicott Guardian. ');
  });

  it('says that nobody learns who is in both, and what each party learns instead', () => {
    expect(text).toContain(
      'Nobody learns who is in both: neither camden nor ncl-health, nor the analyst, nor anyone else.',
    );
    expect(text).toContain(
      'camden learns that the question was asked, by whom and why, the size class of `patients` of ncl-health, and how many of its own identifiers were of no use. It learns neither who of its people ncl-health has, nor how many, nor any value of ncl-health’s, nor the answer.',
    );
    expect(text).toContain(
      'ncl-health learns that the question was asked, by whom and why, the size class of `residents`',
    );
    expect(text).not.toContain('both learn that');
  });

  it('says what each side shows the other: its size class, as a number where it is known', () => {
    expect(made.join).toMatchObject({ left: { setSize: 5793 }, right: { setSize: null } });
    expect(text).toContain(
      'the size class of its whole dataset: 5,793 entries for camden, and as many entries for ncl-health as it states when it accepts.',
    );
  });

  it('goes through the steps: salted hashes that stay at home, a masked table, a bit that nobody holds, sums on shares', () => {
    const steps = [
      'and with which size class. If one declines',
      'toss a random salt for this attempt alone',
      'No identifier and no hash is sent or stored.',
      'one table of masked numbers',
      'The outcome, a match bit, is held by nobody',
      'multiplied by the match bit and added up on shares',
      'numbers, which look random to whoever receives them',
      'a commitment and a signature',
      'its shares of what opens, sealed to the analyst’s key',
    ].map((words) => text.indexOf(words));
    expect(steps.every((at) => at > 0)).toBe(true);
    expect(steps).toEqual(steps.toSorted((a, b) => a - b));
  });

  it('names what is opened of which side, and who counts toward the threshold', () => {
    expect(made.measures.map(({ opens }) => opens)).toEqual([
      ['the number of people in both'],
      ['the number of people in both and the sum of ncl-health’s annual_cost'],
      ['the sum of camden’s arrears'],
    ]);
    expect(text).toContain(
      'these figures over the people whom camden and ncl-health have in common, and nothing of a single',
    );
    expect(text).toContain(
      'All people whom camden and ncl-health have in common count toward it, whoever the analyst belongs to.',
    );
  });

  it('says under which form identifiers are compared, and which are left out', () => {
    expect(text).toContain('Identifiers are compared by their digits alone, whatever stands between them.');
    expect(text).toContain(
      'One that is empty or malformed is left out; how many of its own these are each party is told',
    );
    expect(flat(planFor(joinYaml, { under: withCheck }))).toContain(
      'empty or malformed, or is not ten digits of which the last is the check digit of an NHS number, is left out',
    );
  });

  it('says what becomes of several rows of a person', () => {
    expect(text).toContain(
      'What counts is one row of a person at camden (more end the job) and one row of a person at ncl-health',
    );
    const several = flat(planFor(joinYaml, { under: withRows }));
    expect(several).toContain('up to 3 rows of a person at camden (more end the job)');
    expect(several).toContain('up to 3 pairs, of which the figures are.');
    expect(several).toContain('people (count): the number of pairs of rows in both');
  });

  it('warns of what it does not defend', () => {
    for (const words of [
      'Two exact answers about almost the same people can be subtracted',
      'The parties are assumed to follow the protocol.',
      'It could also learn more of the other’s records than stands here.',
      'An identifier that is misspelt, out of date or missing at one side matches nobody',
      'A side may put identifiers into its records that it made up',
      'identifiers that match nobody do not help to reach it. But whoever knows enough people of the other side',
      'If the analyst and camden or ncl-health put together what they know',
      'a count of as many, or nearly as many, says that all of them, or all but a few, are in both.',
      'In `residents` of camden it is not `nhs_number` that tells people apart but `person`.',
      'then see the code of the error and whose records it is about. It depends on whole columns',
      'The size classes stand in the acceptances, which the analyst and the coordinator see too.',
    ]) {
      expect(text).toContain(words);
    }
    expect(text).not.toContain('In `patients` of ncl-health it is not');
    const rows = charterOf(['unit: person ', 'unit: row ']);
    expect(flat(planFor(joinYaml, { under: rows }))).toContain('tells people apart but each row by itself.');
    // That is of pooled answers.
    expect(text).not.toContain('the answer minus theirs');
  });

  it('says in words what conditions and conditions on groups look at', () => {
    const lines =
      'where: { any: [ { left.age: { gte: 18 } }, { right.sex: { eq: male } } ], year(left.moved_in): { gte: 2020 } }\ngroup_by: [left.tenure, right.sex]\nmeasures: { r: { correlation: [left.arrears, right.annual_cost] } }\nhaving: { owed: { of: { ratio: [left.arrears, right.annual_cost] }, gt: 0.5 }, ill: { of: { mean: right.conditions }, lt: 9 } }';
    const worded = flat(planFor(asked(lines)));
    expect(worded).toContain(
      '(camden’s age is at least 18 or ncl-health’s sex is male) and the year of camden’s moved_in is at least 2020, grouped by camden’s tenure (4 values) and ncl-health’s sex (2 values)',
    );
    expect(worded).toContain('the sum of camden’s arrears times ncl-health’s annual_cost');
    expect(worded).toContain('ill (the mean of ncl-health’s conditions, which is not opened)');
    expect(worded).toContain('owed (the ratio of camden’s arrears to ncl-health’s annual_cost, which is not opened)');
  });

  it('says of an analyst who belongs to a side that its people count all the same', () => {
    const member = charterOf(['roles: [analyst] }', 'roles: [analyst], party: camden }']);
    const ofCamden = flat(planFor(joinYaml, { under: member }));
    expect(ofCamden).toContain('The people of camden count toward the threshold all the same');
    expect(ofCamden).not.toContain('do not count toward');
  });

  it('is known to the parties by the rule of each, and names the refusal of one', () => {
    const checked = checkedJob(joinYaml);
    const judged = (rules: string) =>
      plan({
        checked,
        analyst,
        verdicts: new Map([
          ['camden', judge(checked, usesOf(checked, 'camden'), 'camden', policyOf(rules), analyst, 0)],
        ]),
      });
    expect(judged(policyYaml).parties[0]).toMatchObject({ rule: 'link with health', approval: 'automatic' });
    const narrow = replaced(policyYaml, [['operations: [join, count', 'operations: [count']]);
    expect(judged(narrow).parties[0]!.refusal).not.toBe(null);
  });
});

describe('the plan of a join that reveals its matches', () => {
  const text = flat(planFor(revealYaml));

  it('says who learns of whom, that both rules have to allow it, and what is kept', () => {
    expect(text).toContain(
      'This job reveals its matches: camden learns which of its own people that the job is about ncl-health has too. It happens only where the rules of both allow it (`reveal_matches`). ncl-health does not learn who or how many of its people camden has, and camden learns nothing of anyone else. No value of ncl-health’s is told to camden.',
    );
    expect(text).toContain('Its node keeps their identifiers, as they stand in its records, for camden alone.');
    expect(text).toContain('ncl-health sends camden one masked number for each entry of its set, in random order.');
    expect(text).not.toContain('Nobody learns who is in both');
    expect(text).not.toContain('match bit');
  });

  it('says that a match tells what the right side filters by', () => {
    const filtered = flat(planFor(revealYaml.replace('left.age: { gte: 18 }', 'right.conditions: { gt: 2 }')));
    expect(filtered).toContain('learns that the job’s conditions on ncl-health’s rows hold for that person.');
    expect(filtered).not.toContain('No value of ncl-health’s');
  });

  it('counts people and no pairs, however many rows they have', () => {
    const several = flat(planFor(revealYaml, { under: withRows }));
    expect(several).toContain('Someone with several is one match all the same, and counts once.');
    expect(several).toContain('n (count): the number of people in both');
    expect(several).not.toContain('pairs');
  });

  it('warns that values can be asked for one by one, and that no threshold is about the list', () => {
    expect(text).toContain(
      'Asked again with other conditions on ncl-health’s rows, the job tells of each match which of them hold',
    );
    expect(text).toContain('The threshold and rounding are about the figure that the analyst gets, and never about');
  });

  it('warns that made-up identifiers are told of as well', () => {
    expect(text).toContain(
      'camden is told of every identifier that it brings whether ncl-health has it, of one that it made up',
    );
  });
});

describe('the plan of a join with a helper', () => {
  it('says what it sends, what it sees, and what becomes of the other side if it joins with one', () => {
    const text = flat(planFor(`${joinYaml}join_helper: hackney\n`));
    expect(text).toContain('hackney sends camden and ncl-health random numbers to compute with.');
    expect(text).toContain('hackney learns the text of the question, the size classes and who takes part; no record');
    expect(text).toContain(
      'It sees sizes only; but if it puts together what it holds with one of the two, the other’s privacy is gone',
    );
    expect(text).not.toContain('over all parties before anything is withheld');
    expect(text).toContain('the analyst, the coordinator and hackney see too');
  });
});

describe('the plan of a protected join', () => {
  const made = planFor(`${joinYaml}privacy: { epsilon: 1 }\n`, { under: withRows });
  const text = flat(made);

  it('says whom the noise covers at both sides, and that the two charge it', () => {
    expect(made.privacy!.charges.map(({ party }) => party)).toEqual(['camden', 'ncl-health']);
    expect(text).toContain('with or without all rows of one person (`nhs_number`) at both sides');
    expect(text).toContain(
      'By the dictionary a person has at most 3 rows at camden and 1 row at ncl-health (more are left out), so the noise covers 3 pairs of rows.',
    );
  });

  it('names its releases by whose columns they are', () => {
    expect(made.measures.at(-1)!.opens).toEqual(['sum of camden’s arrears, with noise']);
    expect(text).toContain('ncl-health’s annual_cost about its midpoint, for mean_cost');
    expect(text).not.toMatch(/\b(left|right)\.[a-z]/);
  });

  it('has the warnings of a protected answer, and those of a join that noise does not cover', () => {
    expect(text).toContain('There the noise protects that person like any other.');
    expect(text).not.toContain('Only noise prevents that.');
    expect(text).not.toContain('then see the code of the error');
    expect(text).toContain('The noise too protects all that is held of one `nhs_number`');
    const verdicts = new Map(
      made.parties.map(({ id }) => {
        const allow = { verdict: 'allow', rule: 'r', minGroup: 5, approval: 'automatic', exactToo: true } as const;
        return [id, allow] as const;
      }),
    );
    const checked = checkedJob(`${joinYaml}privacy: { epsilon: 1 }\n`, withRows);
    expect(flat(plan({ checked, analyst, verdicts }))).toContain(
      'also allow exact answers about `residents` of camden and `patients` of ncl-health.',
    );
  });
});

describe('every plan of a join', () => {
  const texts = [joinYaml, revealYaml, `${joinYaml}join_helper: hackney\n`, `${joinYaml}privacy: { rho: 0.1 }\n`];

  it.each(texts)('fits a terminal, and is plain data', (text) => {
    const made = planFor(text, { under: withRows });
    for (const line of renderPlan(made).split('\n')) expect(line.length).toBeLessThanOrEqual(100);
    expect(JSON.parse(JSON.stringify(made))).toEqual(made);
  });

  it.each(texts)('has its matching and what everyone learns in a few words too', (text) => {
    const made = planFor(text, { under: withRows });
    const part = renderMatching(made);
    expect(part).toMatch(/^Who is matched with whom\n[\s\S]*\n\nWho learns what\n/);
    const [matched, learnt] = part.trim().split('\n\n');
    expect(renderPlan(made)).toContain(matched);
    expect(renderPlan(made)).toContain(learnt!.slice(learnt!.indexOf('  - camden')));
    expect(learnt).toContain('housing-analytics learns the figures of the answer');
  });

  it('costs less the smaller its sets are, and says what it takes them to be where it does not know', () => {
    const cost = (text: string, setClasses: SetClasses) => planFor(text, { setClasses });
    const [small, large] = [cost(joinYaml, { left: 20, right: 20 }), cost(joinYaml, { left: 40, right: 20 })];
    expect(small.bytesPerParty).toBeLessThan(large.bytesPerParty);
    expect(small.secondsEstimate).toBeLessThan(large.secondsEstimate);
    expect(flat(large)).not.toContain('as large as the charter allows');
    expect(flat(cost(joinYaml, { left: 20 }))).toContain('That is for datasets as large as the charter allows');
    expect(cost(revealYaml, { left: 40, right: 40 }).bytesPerParty).toBeLessThan(large.bytesPerParty);
    // The charter’s bound on rows may be more than any set that is matched.
    const vast = charterOf(['max_rows: 2000000', 'max_rows: 900000000']);
    const known = { left: setClassFor(500_000), right: setClassMax };
    expect(planFor(joinYaml, { under: vast }).bytesPerParty).toBe(cost(joinYaml, known).bytesPerParty);
  });
});
