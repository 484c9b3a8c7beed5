import { assertNever } from './decider';
import { DomainError, errorCatalogue } from './errors';

test('what the types call impossible is loud where the data disagrees', () => {
  expect(() => assertNever({ type: 'Dance' } as never, 'command')).toThrow(
    'unknown command: {"type":"Dance"}',
  );
});

describe('a refusal', () => {
  test('has the words of the catalogue where it has none of its own', () => {
    const error = new DomainError('agent_busy');
    expect(error).toMatchObject({ name: 'DomainError', code: 'agent_busy', details: {} });
    expect(error.message).toBe(errorCatalogue.agent_busy);
  });

  test('keeps its own words, details and cause', () => {
    const cause = new Error('why');
    const error = new DomainError('run_not_found', 'no such thing', { id: 1 }, { cause });
    expect(error).toMatchObject({ message: 'no such thing', details: { id: 1 }, cause });
  });
});
