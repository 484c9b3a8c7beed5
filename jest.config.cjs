const { join } = require('node:path');

const support = (file) => join(__dirname, 'test', 'support', 'jest', file);

const isOnMongodb = process.env.REVEILLE_TEST_DOCUMENTS === 'mongodb';

const swc = (syntax) => [
  '@swc/jest',
  {
    jsc: {
      parser: { syntax, decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata: true },
      keepClassNames: true,
      target: 'es2022',
    },
    module: { type: 'commonjs' },
    sourceMaps: 'inline',
  },
];

/** @type {import('jest').Config} */
module.exports = {
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testRegex: '\\.(unit|contract|int|e2e)\\.spec\\.ts$',
  transform: { '^.+\\.ts$': swc('typescript'), '^.+\\.m?js$': swc('ecmascript') },
  // Nest's packages are ES modules only, which jest cannot load: they are turned into CommonJS like our own code.
  transformIgnorePatterns: ['/node_modules/(?!(@nestjs)/)'],
  // Backends are imported where they are chosen, under the names that they have once they are built.
  moduleNameMapper: { '^(\\./(?:event-log|documents)/.+)\\.js$': '$1' },
  // The server that stands in for MongoDB is one, slow, and used by all of them.
  testTimeout: isOnMongodb ? 120_000 : 30_000,
  // They wait for servers and processes more than they work.
  maxWorkers: isOnMongodb ? 2 : 3,
  testEnvironment: support('environment.cjs'),
  globalSetup: support('global-setup.ts'),
  globalTeardown: support('global-teardown.ts'),
  reporters: ['default', support('closing-line.reporter.cjs')],
};
