import { resumeStory } from './resume';

test(
  'followers that are cut off again and again are told everything once, in order',
  () => resumeStory({ agents: 8, runsEach: 12, cutWithin: 80, atLeastMessages: 2_000 }),
  240_000,
);
