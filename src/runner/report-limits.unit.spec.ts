import { Mask } from './mask';
import { maskedReport, parseRunReport } from './run-report';

const nested = (levels: number): object => (levels === 0 ? {} : { inner: nested(levels - 1) });
const text = (bytes: number) => 'x'.repeat(bytes - 2);

describe('a result', () => {
  test('may be as deep and as large as allowed', () => {
    const { report, problems } = parseRunReport(
      JSON.stringify({ resultJson: nested(31), state: text(64 * 1024) }),
    );
    expect(problems).toEqual([]);
    expect(report).toMatchObject({ resultJson: nested(31), state: text(64 * 1024) });
  });

  test.each([
    ['a resultJson that is too deep', { resultJson: nested(32) }, 'resultJson: nested deeper than 32 levels'],
    [
      'a resultJson that is too large',
      { resultJson: text(256 * 1024 + 1) },
      'resultJson: 262145 bytes as JSON',
    ],
    ['a state that is too deep', { state: nested(32) }, 'state: nested deeper than 32 levels'],
    ['a state that is too large', { state: text(64 * 1024 + 1) }, 'state: 65537 bytes as JSON'],
    ['a sessionId that is too long', { sessionId: 'x'.repeat(1_001) }, 'sessionId: '],
  ])('loses %s and keeps the rest', (_what, fields, problem) => {
    const { report, problems } = parseRunReport(JSON.stringify({ model: 'm-1', ...fields }));
    expect(problems).toEqual([expect.stringContaining(problem)]);
    expect(report).toMatchObject({ model: 'm-1', resultJson: null, sessionId: null });
    expect(report!.state).toBeUndefined();
  });

  test('is masked wherever the agent could say something, and its error message is cut after that', () => {
    const secret = 'hunter22';
    const before = 'x'.repeat(8 * 1024 - 8);
    const { report } = parseRunReport(
      JSON.stringify({
        provider: secret,
        model: secret,
        sessionId: `of ${secret}`,
        errorMessage: `${before}${secret}!`,
        resultJson: [{ [secret]: secret }],
        state: secret,
        usage: { inputTokens: 4242 },
      }),
    );
    expect(maskedReport(report!, Mask.of([secret, '4242']))).toMatchObject({
      provider: '********',
      model: '********',
      sessionId: 'of ********',
      errorMessage: `${before}*****…`,
      resultJson: [{ '********': '********' }],
      state: '********',
      usage: { inputTokens: 4242 },
    });
  });
});
