/**
 * Builds what browsers and Shopify load: the theme block's script, the post-purchase extension, and the dev store's
 * stand-in for its host page. The block's script is kept in the repository as built, so that the theme extension is
 * whole without Node; a test compares it with what this builds.
 *
 *   node tools/build.mjs
 *
 * The app's address goes into the extension at build time: WELLPAIRED_APP_URL, else `application_url` of
 * shopify.app.toml. The development build differs in one thing: its host page may name another address.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const EXTENSION = path.join(REPOSITORY, 'extensions/post-purchase-offer');
const OFFER_BLOCK = path.join(REPOSITORY, 'extensions/upsell-theme/assets/wellpaired-offer.js');
const DEVSTORE_STATIC = path.join(REPOSITORY, 'shopify_upsell/devstore/static');

/** Where the extension finds the app. Throws when nothing names it. */
export function appUrl(environment = process.env, repository = REPOSITORY) {
  const manifest = path.join(repository, 'shopify.app.toml');
  const text = fs.existsSync(manifest) ? fs.readFileSync(manifest, 'utf8') : '';
  const url = environment.WELLPAIRED_APP_URL || /^application_url\s*=\s*"([^"]+)"/m.exec(text)?.[1];
  if (!url) throw new Error('set WELLPAIRED_APP_URL, or application_url in shopify.app.toml');
  return url.replace(/\/+$/, '');
}

/** The post-purchase extension as one script. */
export async function bundlePostPurchase({ url, isDevelopment = false }) {
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: [path.join(EXTENSION, 'src/index.js')],
    outfile: path.join(EXTENSION, 'dist/post-purchase-offer.js'),
    define: {
      'process.env.WELLPAIRED_APP_URL': JSON.stringify(url),
      'process.env.NODE_ENV': JSON.stringify(isDevelopment ? 'development' : 'production'),
    },
  });
  return result.outputFiles[0].text;
}

/** The dev store's post-purchase page, which loads the extension and draws what it renders. */
export async function bundleHost() {
  const result = await esbuild.build({
    ...COMMON,
    entryPoints: [path.join(REPOSITORY, 'extensions-dev/post-purchase-host/index.js')],
    outfile: path.join(DEVSTORE_STATIC, 'post_purchase_host.js'),
    loader: { '.css': 'text' },
  });
  return result.outputFiles[0].text;
}

/** The theme block's script, small enough for Shopify's limit only when it is minified. */
export async function bundleOfferBlock() {
  const result = await esbuild.build({
    ...COMMON,
    target: 'es2022',
    entryPoints: [path.join(REPOSITORY, 'extensions-dev/offer-block/index.js')],
    outfile: OFFER_BLOCK,
    banner: { js: '/* Built from extensions-dev/offer-block; see tools/build.mjs. */' },
  });
  return result.outputFiles[0].text;
}

const COMMON = { bundle: true, write: false, minify: true, format: 'iife', target: 'es2020', charset: 'utf8' };

async function main() {
  const url = appUrl();
  const outputs = {
    [OFFER_BLOCK]: await bundleOfferBlock(),
    [path.join(EXTENSION, 'dist/post-purchase-offer.js')]: await bundlePostPurchase({ url }),
    [path.join(EXTENSION, 'dist/post-purchase-offer.dev.js')]: await bundlePostPurchase({ url, isDevelopment: true }),
    [path.join(DEVSTORE_STATIC, 'post_purchase_host.js')]: await bundleHost(),
  };
  for (const [file, code] of Object.entries(outputs)) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, code);
    console.log(`${path.relative(REPOSITORY, file)}  ${Buffer.byteLength(code)} bytes`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
