import { jsonLinesProgram } from '../json-lines/json-lines-adapter';

/** OpenCode, as of 1.18. Each step says what it has used, and what that cost where its configuration has prices. */
export const opencodeAdapter = jsonLinesProgram({
  type: 'opencode_local',
  command: 'opencode',
  env: { OPENCODE_DISABLE_AUTOUPDATE: 'true' },
  arguments: ({ model, cwd }, sessionId) => [
    // A title of its own saves the call of a model that makes one up.
    ...['run', '--format', 'json', '--title', 'reveille', '--auto'],
    ...(cwd === undefined ? [] : ['--dir', cwd]),
    ...(model === undefined ? [] : ['-m', model]),
    ...(sessionId === null ? [] : ['-s', sessionId]),
  ],
  modelOf: (model = '') => {
    const slash = model.indexOf('/');
    return {
      provider: slash < 0 ? null : model.slice(0, slash),
      model: model.slice(slash + 1) || null,
    };
  },
  dialect: {
    lines: {
      '*': { session: 'sessionID' },
      text: { answer: { text: 'part.text' } },
      step_finish: {
        usage: {
          ...{ of: 'step', input: ['part.tokens.input', 'part.tokens.cache.write'] },
          output: ['part.tokens.output', 'part.tokens.reasoning'],
          ...{ cachedInput: ['part.tokens.cache.read'], cost: 'part.cost' },
        },
      },
      error: { error: 'error.data.message' },
    },
    missingSession: ['Session not found'],
  },
});
