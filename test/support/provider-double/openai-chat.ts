import type { AnsweredTurn, ProviderProtocol } from './provider-turn';
import { plainEvents } from './provider-turn';

/** https://platform.openai.com/docs/api-reference/chat */
export const openaiChat: ProviderProtocol = {
  matches: (path) => path === '/v1/chat/completions',
  modelOf: (_path, body) => String(body['model']),
  wantsStream: (_path, body) => body['stream'] === true,
  stream(turn, model, id) {
    const chunk = (delta: object, finish_reason: string | null = null) => ({
      ...{ id: `chatcmpl-${id}`, object: 'chat.completion.chunk', created: 1_700_000_000, model },
      choices: [{ index: 0, delta, finish_reason }],
    });
    const { tool_calls } = messageOf(turn, id);
    return {
      beginning: plainEvents([chunk({ role: 'assistant', content: turn.text ?? '' })]),
      rest:
        plainEvents([
          ...(tool_calls
            ? [chunk({ tool_calls: tool_calls.map((call, index) => ({ index, ...call })) })]
            : []),
          { ...chunk({}, turn.tool ? 'tool_calls' : 'stop'), usage: usageOf(turn) },
        ]) + 'data: [DONE]\n\n',
    };
  },
  whole: (turn, model, id) => ({
    ...{ id: `chatcmpl-${id}`, object: 'chat.completion', created: 1_700_000_000, model },
    choices: [{ index: 0, message: messageOf(turn, id), finish_reason: turn.tool ? 'tool_calls' : 'stop' }],
    usage: usageOf(turn),
  }),
  refusal: ({ status, message }) => ({ error: { message, type: 'error', code: status } }),
};

function messageOf({ text, tool }: AnsweredTurn, id: string) {
  const call = tool && {
    ...{ id: `call_${id}`, type: 'function' },
    function: { name: tool.name, arguments: JSON.stringify(tool.input) },
  };
  return { role: 'assistant', content: text ?? '', ...(call && { tool_calls: [call] }) };
}

function usageOf({ usage }: AnsweredTurn) {
  const { inputTokens, outputTokens, cachedInputTokens = 0 } = usage;
  return {
    prompt_tokens: inputTokens + cachedInputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + cachedInputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedInputTokens },
  };
}
