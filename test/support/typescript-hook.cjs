// `node -r` this file lets a child process run TypeScript, turned into JavaScript as jest does it.
const { transformFileSync } = require('@swc/core');

const options = {
  swcrc: false,
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2022',
  },
  module: { type: 'commonjs' },
};

require.extensions['.ts'] = (module, filename) =>
  module._compile(transformFileSync(filename, options).code, filename);
