#!/usr/bin/env node
// Runs the command line in this very process, so that signals reach it directly.
import '../scripts/node-version.mjs';

import('../scripts/launch.mjs').then(({ launch }) => launch());
