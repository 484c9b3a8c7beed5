const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { basename, dirname, join } = require('node:path');
const { TestEnvironment } = require('jest-environment-node');

const typescriptHook = join(__dirname, '..', 'typescript-hook.cjs');

/**
 * Gives each test file a folder of its own as the system's temporary folder, named after it, and removes it after the
 * file's last hook (an `afterAll` of a helper would run before those that close what the folder holds).
 */
module.exports = class TemporaryFolderEnvironment extends TestEnvironment {
  constructor(config, context) {
    // Before `super`, which copies the environment for the test.
    process.env.TMPDIR = mkdtempSync(join(tmpdir(), `${basename(context.testPath, '.spec.ts')}-`));
    super(config, context);
    // Threads that the code under test starts run TypeScript as well.
    this.global.process.execArgv = ['-r', typescriptHook];
  }

  async teardown() {
    const folder = tmpdir();
    process.env.TMPDIR = dirname(folder);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    await super.teardown();
  }
};
