import { resumeStory } from './resume';

test(
  'followers that are cut off again and again are told everything once, in order',
  () => resumeStory({ agents: 3, runsEach: 4, cutWithin: 12, atLeastMessages: 200 }),
  60_000,
);
