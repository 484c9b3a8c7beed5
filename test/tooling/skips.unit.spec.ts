import { describeWhen, testWhen } from '../support/skips';

describeWhen(true, 'what it needs is there')('a group', () => {
  testWhen(true, 'what it needs is there')('runs under its own name', () => {
    expect(expect.getState().currentTestName).toBe('a group runs under its own name');
  });
});
