// Which part may import which: the table of docs/design.md, as rules that fail the build.

const pure =
  '^src/(kernel|event-log|documents|sqlite|processing|runner|adapters|cli)/|/(domain|projections|sagas)/';

/** Puts everything together: the entry, the server, the node inside it, and the routes. */
const compositionRoot = '^src/(main|server|node|backends|embedded-stores|migrate|app\\.module)\\.ts$';

const packageNamed = (name) => `(^|node_modules/)${name}(/|$)`;

/** @type {import('dependency-cruiser').IForbiddenRuleType[]} */
const forbidden = [
  {
    name: 'no-cycles',
    comment: 'What imports itself, by whatever detour, cannot be understood or tested alone.',
    severity: 'error',
    from: {},
    to: { circular: true },
  },
  {
    name: 'no-orphans',
    comment: 'A file that imports nothing and that nothing imports is forgotten.',
    severity: 'error',
    from: { orphan: true, path: '^(src|test|bench)/', pathNot: ['^src/main\\.ts$', '\\.spec\\.ts$'] },
    to: {},
  },
  {
    name: 'no-dead-code',
    comment:
      'What the program cannot reach has no place in src; what only tests need belongs to test/support.',
    severity: 'error',
    // A thread, and a process of our own, is started by the name of its file.
    from: { path: '^src/main\\.ts$|\\.(thread|program)\\.ts$' },
    to: {
      path: '^src/',
      pathNot: ['\\.spec\\.ts$', '^src/main\\.ts$', '\\.(thread|program)\\.ts$'],
      reachable: false,
    },
  },
  {
    name: 'no-unresolvable',
    comment: 'Every import leads somewhere.',
    severity: 'error',
    from: {},
    // Built into Node 22, and unknown to Node 20.
    to: { couldNotResolve: true, pathNot: '^(node:)?sqlite$' },
  },
  {
    name: 'no-undeclared-packages',
    comment:
      'The program uses what package.json lists as its dependencies, not what happens to be installed.',
    severity: 'error',
    from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
    to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
  },
  {
    name: 'no-test-code-in-src',
    comment: 'The program does not know its tests and benchmarks.',
    severity: 'error',
    from: { path: '^src/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^(test|bench)/|\\.spec\\.ts$' },
  },

  {
    name: 'kernel-stands-alone',
    comment: 'The kernel imports nothing but itself and node:crypto.',
    severity: 'error',
    from: { path: '^src/kernel/', pathNot: '\\.spec\\.ts$' },
    to: { pathNot: ['^src/kernel/', '^(node:)?crypto$'] },
  },
  {
    name: 'domain-is-pure',
    comment:
      'Decisions depend on the kernel and on other decisions, on nothing that could answer differently tomorrow.',
    severity: 'error',
    from: { path: '^src/.+/domain/', pathNot: '\\.spec\\.ts$' },
    to: { pathNot: ['^src/kernel/', '^src/.+/domain/'] },
  },
  {
    name: 'projections-and-sagas-are-pure',
    comment: 'They see the domain, the kernel, their neighbours and the types that make them what they are.',
    severity: 'error',
    from: { path: '^src/(.+)/(projections|sagas)/', pathNot: '\\.spec\\.ts$' },
    to: {
      pathNot: ['^src/kernel/', '^src/.+/domain/', '^src/$1/$2/', '^src/processing/(projection|saga)\\.ts$'],
    },
  },
  {
    name: 'event-log-sees-the-kernel',
    comment: 'The event log knows streams and events, not what they mean.',
    severity: 'error',
    from: { path: '^src/event-log/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: '^src/(kernel|event-log|sqlite)/' },
  },
  {
    name: 'documents-see-the-kernel',
    comment: 'The document store knows documents, not what they mean.',
    severity: 'error',
    from: { path: '^src/documents/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: '^src/(kernel|documents|sqlite)/' },
  },
  {
    name: 'sqlite-sees-nothing',
    comment: 'How a database file is opened depends on nothing of the project.',
    severity: 'error',
    from: { path: '^src/sqlite/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: '^src/(kernel|sqlite)/' },
  },
  {
    name: 'processing-sees-ports',
    comment: 'Followers and runners of projections and sagas know the kernel and the ports, no capability.',
    severity: 'error',
    from: { path: '^src/processing/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: ['^src/(kernel|processing)/', '^src/(event-log|documents)/[^/]+$'] },
  },
  {
    name: 'adapters-see-the-kernel',
    comment: 'How an agent is executed does not depend on why.',
    severity: 'error',
    from: { path: '^src/adapters/', pathNot: '\\.spec\\.ts$' },
    to: { path: '^src/', pathNot: '^src/(kernel|adapters)/' },
  },
  {
    name: 'live-sees-ports',
    comment:
      'What followers are told comes from the log and from nothing else: no read model, no handler of a capability.',
    severity: 'error',
    from: { path: '^src/live/', pathNot: '\\.spec\\.ts$' },
    to: {
      path: '^src/',
      pathNot: [
        '^src/(kernel|live|http|auth)/',
        '^src/.+/domain/',
        '^src/event-log/[^/]+$',
        '^src/processing/(feed|steady-follow|pause)\\.ts$',
        '^src/runs/whole-characters\\.ts$',
      ],
    },
  },
  {
    name: 'runner-sees-ports-and-adapters',
    comment:
      'The runner executes; it asks no read model and knows no capability beyond the events it writes.',
    severity: 'error',
    from: { path: '^src/runner/', pathNot: '\\.spec\\.ts$' },
    to: {
      path: '^src/',
      pathNot: ['^src/(kernel|runner|adapters)/', '^src/.+/domain/', '^src/(event-log|documents)/[^/]+$'],
    },
  },

  {
    name: 'client-stands-alone',
    comment:
      'Of the program the client takes types only, and of Node nothing: it is to work wherever fetch does.',
    severity: 'error',
    from: { path: '^src/client/', pathNot: '\\.spec\\.ts$' },
    to: { pathNot: '^src/client/', dependencyTypesNot: ['type-only'] },
  },
  {
    name: 'command-line-is-a-client',
    comment:
      'What the command line knows of a server it knows from the client, and of the rest types only. What an export ' +
      'proves it finds out for itself.',
    severity: 'error',
    from: { path: '^src/(cli|demo)/', pathNot: '\\.spec\\.ts$' },
    to: {
      path: '^src/',
      pathNot: [
        '^src/(cli|demo|client|kernel)/',
        '^src/audit/verification/',
        '^src/(config|data-folder|store-unusable|version)\\.ts$',
      ],
      dependencyTypesNot: ['type-only'],
    },
  },

  {
    name: 'backends-stay-apart',
    comment: 'A backend does not know the others of its port.',
    severity: 'error',
    from: { path: '^src/(event-log|documents)/([^/]+)/' },
    to: { path: '^src/(event-log|documents)/[^/]+/', pathNot: '^src/$1/$2/' },
  },
  {
    name: 'backends-are-chosen-at-the-root',
    comment: 'Only the composition root knows which backend is behind a port.',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/(event-log|documents)/[^/]+/', compositionRoot, '\\.spec\\.ts$'] },
    to: { path: '^src/(event-log|documents)/[^/]+/' },
  },
  {
    name: 'the-root-is-on-top',
    comment: 'Nothing below the composition root imports it.',
    severity: 'error',
    from: { path: '^src/', pathNot: [compositionRoot, '\\.spec\\.ts$'] },
    to: { path: compositionRoot },
  },

  {
    name: 'sqlite-in-one-folder',
    comment: 'One place opens database files and decides with which binding.',
    severity: 'error',
    from: { path: '^(src|bench)/', pathNot: '^src/sqlite/' },
    to: { path: [packageNamed('@photostructure/sqlite'), '^(node:)?sqlite$'] },
  },
  {
    name: 'eventstoredb-in-one-folder',
    comment: 'The EventStoreDB client is known to its backend only.',
    severity: 'error',
    from: { path: '^(src|bench)/', pathNot: '^src/event-log/eventstoredb/' },
    to: { path: packageNamed('@eventstore/db-client') },
  },
  {
    name: 'mongodb-in-one-folder',
    comment: 'The MongoDB driver is known to its backend only.',
    severity: 'error',
    from: { path: '^(src|bench)/', pathNot: '^src/documents/mongodb/' },
    to: { path: packageNamed('mongodb') },
  },
  {
    name: 'processes-in-one-folder',
    comment: 'Only the runner starts and ends processes.',
    severity: 'error',
    from: { path: '^src/', pathNot: ['^src/runner/', '\\.spec\\.ts$'] },
    to: { path: '^(node:)?child_process$' },
  },
  {
    name: 'nest-at-the-edge',
    comment: 'What decides, stores, follows and executes works without the framework.',
    severity: 'error',
    from: { path: pure },
    to: { path: packageNamed('@nestjs') },
  },
];

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden,
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    // Types count: whoever needs another part's types knows it.
    tsPreCompilationDeps: true,
    detectProcessBuiltinModuleCalls: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'types'],
    },
  },
};
