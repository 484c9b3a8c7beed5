// Imported before anything else, and written so that an old Node can read it and say what is wrong.
// Reveille is CommonJS and Nest is ES modules only: `require` of an ES module came with Node 20.19 and 22.12.
const [major, minor] = process.versions.node.split('.').map(Number);

const canRequireModules = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22;

if (!canRequireModules) {
  console.error(
    `Reveille needs Node.js 20.19 or newer (of 22: 22.12 or newer); this is ${process.versions.node}.`,
  );
  process.exit(1);
}
