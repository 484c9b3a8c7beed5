import {
  LOG_CATEGORY,
  agentStream,
  categoryOf,
  companyStream,
  keyStream,
  ownerOf,
  runLogStream,
  runStream,
} from './streams';

test.each([
  ['agent', agentStream('c', 'x'), 'agent-c.x'],
  ['run', runStream('c', 'x'), 'run-c.x'],
  ['runlog', runLogStream('c', 'x'), 'runlog-c.x'],
  ['company', companyStream('c'), 'company-c'],
  ['key', keyStream('-', 'x'), 'key--.x'],
])('%s streams are named by one rule', (category, name, expected) => {
  expect(name).toBe(expected);
  expect(categoryOf(name)).toBe(category);
});

test.each([
  agentStream('0190-a', 'x'),
  runLogStream('0190-a', 'x'),
  companyStream('0190-a'),
  keyStream('0190-a', 'x'),
])('%s belongs to its company', (name) => expect(ownerOf(name)).toBe('0190-a'));

test('the log bytes are in a category of their own', () => {
  expect(categoryOf(runLogStream('c', 'x'))).toBe(LOG_CATEGORY);
});

test('a company id with dashes does not change the category', () => {
  expect(categoryOf(agentStream('0190aaaa-0000-7000-8000-000000000000', 'x'))).toBe('agent');
});

test.each(['', 'agent', '-agent'])('%j is no stream name', (name) => {
  expect(() => categoryOf(name)).toThrow(`stream name without a category: ${name}`);
});
