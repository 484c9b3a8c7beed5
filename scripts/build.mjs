// `npm run build`: `nest build`, kept apart from other builds of this checkout, and remembered for `npm start`.
import './node-version.mjs';
import { BuildFailed, build } from './builder.mjs';

try {
  await build();
} catch (error) {
  if (!(error instanceof BuildFailed)) throw error;
  console.error(`reveille: ${error.message}`);
  process.exitCode = 1;
}
