// `node -r` this file lets a child process, or a thread, run TypeScript, turned into JavaScript as jest does it. What
// was turned once is kept: a thread that is started often would otherwise wait for the compiler each time.
const { createHash } = require('node:crypto');
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require('node:fs');
const Module = require('node:module');
const { join } = require('node:path');

const options = {
  swcrc: false,
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    target: 'es2022',
  },
  module: { type: 'commonjs' },
};

const kept = join(__dirname, '..', '..', 'node_modules', '.cache', 'reveille', 'typescript');

require.extensions['.ts'] = (module, filename) => module._compile(javaScriptOf(filename), filename);

// Backends are imported under the names that they have once they are built.
const resolveFilename = Module._resolveFilename;
Module._resolveFilename = (request, ...rest) => {
  try {
    return resolveFilename(request, ...rest);
  } catch (error) {
    if (!/^\.{1,2}\/.+\.js$/.test(request)) throw error;
    return resolveFilename(request.slice(0, -'.js'.length), ...rest);
  }
};

function javaScriptOf(filename) {
  const source = readFileSync(filename, 'utf8');
  const key = createHash('sha256').update(JSON.stringify(options)).update(source).digest('hex').slice(0, 32);
  const file = join(kept, `${key}.js`);
  try {
    return readFileSync(file, 'utf8');
  } catch {
    const { code } = require('@swc/core').transformSync(source, { ...options, filename });
    mkdirSync(kept, { recursive: true });
    const draft = `${file}.${process.pid}.${process.hrtime.bigint()}`;
    writeFileSync(draft, code);
    renameSync(draft, file);
    return code;
  }
}
