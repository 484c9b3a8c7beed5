import type { AnsweredTurn, ProviderProtocol } from './provider-turn';
import { plainEvents } from './provider-turn';

const PATH = /^\/v1beta\/models\/([^/:]+):(streamGenerateContent|generateContent)$/;

/** https://ai.google.dev/api/generate-content */
export const googleGenerateContent: ProviderProtocol = {
  matches: (path) => PATH.test(path),
  modelOf: (path) => PATH.exec(path)![1]!,
  wantsStream: (path) => path.endsWith(':streamGenerateContent'),
  stream: (turn, model) => ({
    beginning: plainEvents([{ candidates: [{ content: content([{ text: turn.text ?? '' }]), index: 0 }] }]),
    // The text has been sent by then.
    rest: plainEvents([whole({ ...turn, text: turn.tool ? undefined : '' }, model)]),
  }),
  whole,
  refusal: ({ status, message }) => ({
    error: { code: status, message, status: status === 429 ? 'RESOURCE_EXHAUSTED' : 'UNAUTHENTICATED' },
  }),
};

function whole({ text, tool, usage }: AnsweredTurn, model: string) {
  const { inputTokens, outputTokens, cachedInputTokens = 0 } = usage;
  const prompt = inputTokens + cachedInputTokens;
  const parts = tool
    ? [...(text === undefined ? [] : [{ text }]), { functionCall: { name: tool.name, args: tool.input } }]
    : [{ text: text ?? '' }];
  return {
    candidates: [{ content: content(parts), finishReason: 'STOP', index: 0 }],
    usageMetadata: {
      promptTokenCount: prompt,
      candidatesTokenCount: outputTokens,
      cachedContentTokenCount: cachedInputTokens,
      totalTokenCount: prompt + outputTokens,
    },
    modelVersion: model,
  };
}

function content(parts: readonly object[]) {
  return { role: 'model', parts };
}
