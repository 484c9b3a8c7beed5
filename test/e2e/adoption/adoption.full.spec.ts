import type { CrashStory } from './crash-points';
import { crashesInARow, crashPoints, crashPointsOfEndings } from './crash-points';
import { CrashedRun } from './crash-story';

describe('a server that dies', () => {
  test.each(crashPoints)('$name: one execution, no byte lost or doubled, true exit code', (story) =>
    CrashedRun.expectWhole(story),
  );
});

describe('a server that dies while a run is being ended', () => {
  test.each(crashPointsOfEndings)('$name: the run ends as it must', (story) => CrashedRun.expectWhole(story));
});

describe('two servers that die in a row', () => {
  test.each(crashesInARow)('$name: still one execution, and whole', (story) => CrashedRun.expectWhole(story));
});

test('a server dies at every point of one run, one after the other', async () => {
  const run = new CrashedRun();
  const [first, ...rest] = crashPoints.filter((story) => !story.meanwhile && isMetByEveryLife(story));
  await run.beginAndDie({ ...first!, agent: 'patient' });
  for (const { at } of rest) await run.dieAgain(at);
  await run.endInOrder();
}, 180_000);

/** Usage is booked, and the last output recorded, by whichever server comes by first. */
function isMetByEveryLife({ at }: CrashStory): boolean {
  return !('type' in at) || (at.type !== 'UsageBooked' && at.onceThereIs !== 'exit');
}
