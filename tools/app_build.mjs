/**
 * Builds the app as `shopify app deploy` would, with Shopify's own CLI: the check of the TOML files and of what the CLI
 * makes of the extensions. Needs no login and no network once the CLI is there; sends no analytics.
 *
 *   npm install --no-save @shopify/cli@4.8.2 && npm run app-build
 *
 * The CLI is not among the dependencies: nothing else needs it, and an install without it is a quarter faster.
 * It works on a copy, because it installs packages and writes files where it runs. An extension whose type it does not
 * know it skips without a word, so the outputs are counted.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { appUrl, REPOSITORY } from './build.mjs';

const CLI = path.join(REPOSITORY, 'node_modules/@shopify/cli/bin/run.js');
const POST_PURCHASE = 'extensions/post-purchase-offer/dist/post-purchase-offer.js';

/** Runs the CLI on the copy and counts what it built. Throws with one line that says what is wrong. */
function build(copy, url) {
  const home = path.join(copy, 'home');
  fs.mkdirSync(home);
  const built = spawnSync(process.execPath, [CLI, 'app', 'build', '--skip-dependencies-installation', '--path', copy], {
    env: { ...process.env, HOME: home, CI: '1', SHOPIFY_CLI_NO_ANALYTICS: '1', WELLPAIRED_APP_URL: url },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (built.status !== 0) throw new Error(`shopify app build failed with ${built.status}`);
  const output = path.join(copy, POST_PURCHASE);
  if (!fs.existsSync(output)) throw new Error(`the CLI built no ${POST_PURCHASE}`);
  if (!fs.readFileSync(output, 'utf8').includes(url)) throw new Error(`${POST_PURCHASE} does not name ${url}`);
  return fs.statSync(output).size;
}

function copyTo(folder) {
  const filter = (from) => path.basename(from) !== 'dist';
  for (const name of ['shopify.app.toml', 'extensions', 'package.json']) {
    fs.cpSync(path.join(REPOSITORY, name), path.join(folder, name), { recursive: true, filter });
  }
  fs.symlinkSync(path.join(REPOSITORY, 'node_modules'), path.join(folder, 'node_modules'));
}

const copy = fs.mkdtempSync(path.join(os.tmpdir(), 'wellpaired-app-'));
try {
  if (!fs.existsSync(CLI)) throw new Error('install the CLI first: npm install --no-save @shopify/cli@4.8.2');
  copyTo(copy);
  const url = appUrl();
  console.log(`shopify app build: 1 bundle, ${build(copy, url)} bytes, calls ${url}`);
} catch (problem) {
  console.error(problem.message);
  process.exitCode = 1;
} finally {
  fs.rmSync(path.join(copy, 'node_modules'), { force: true });
  fs.rmSync(copy, { recursive: true, force: true });
}
