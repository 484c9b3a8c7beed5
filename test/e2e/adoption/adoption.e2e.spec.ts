import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { crashesInARow, crashPoints, crashPointsOfEndings } from './crash-points';
import { CrashedRun } from './crash-story';

const all = [...crashPoints, ...crashPointsOfEndings, ...crashesInARow];

test.each(all.filter(({ isEssential }) => isEssential))(
  'a server dies $name: one execution, no byte lost or doubled, the true end',
  (story) => CrashedRun.expectWhole(story),
);

test('docs/adoption.md lists every point, in order', () => {
  const text = readFileSync(join(__dirname, '..', '..', '..', 'docs', 'adoption.md'), 'utf8');
  const tables = text.slice(0, text.indexOf('## When a spool fails'));
  const listed = [...tables.matchAll(/^\| ((?:before|after|while|during) .+?) \|/gm)].map(([, name]) => name);
  expect(listed).toEqual([...crashPoints, ...crashPointsOfEndings].map(({ name }) => name));
});
