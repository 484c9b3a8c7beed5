import { jsonLinesProgram } from '../json-lines/json-lines-adapter';

/** Gemini CLI, as of 0.61. It says what it has used only when it is done. */
export const geminiAdapter = jsonLinesProgram({
  type: 'gemini_local',
  command: 'gemini',
  env: {
    GEMINI_CLI_TRUST_WORKSPACE: 'true',
    // It would start itself once more, and not pass SIGTERM on.
    GEMINI_CLI_NO_RELAUNCH: 'true',
  },
  arguments: ({ model }, sessionId) => [
    ...['-o', 'stream-json', '-y'],
    ...(model === undefined ? [] : ['-m', model]),
    ...(sessionId === null ? [] : ['-r', sessionId]),
  ],
  modelOf: (model) => ({ provider: 'google', model: model ?? null }),
  dialect: {
    lines: {
      init: { session: 'session_id', model: 'model' },
      message: { answer: { text: 'content', isPart: true, where: { role: 'assistant' } } },
      tool_use: { clearsAnswer: true },
      result: {
        usage: {
          ...{ of: 'run', input: ['stats.input_tokens'], inputIncludesCached: true },
          ...{ output: ['stats.output_tokens'], cachedInput: ['stats.cached'] },
        },
        error: 'error.message',
        isEnd: true,
      },
    },
    missingSession: ['Error resuming session'],
  },
});
