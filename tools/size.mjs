/**
 * Fails when something that shoppers load has grown beyond its limit.
 *
 *   node tools/size.mjs
 *
 * Sources: theme-check's AssetSizeAppBlockJavaScript (10,000 bytes) and AssetSizeAppBlockCSS (100,000 bytes); Shopify's
 * limit of 64 kB compressed for a checkout extension, which the CLI measures with brotli and enforces at deploy only.
 */
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const LIMITS = [
  { file: 'extensions/upsell-theme/assets/wellpaired-offer.js', measure: 'raw', limit: 10_000 },
  { file: 'extensions/upsell-theme/assets/wellpaired-offer.css', measure: 'raw', limit: 100_000 },
  { file: 'extensions/post-purchase-offer/dist/post-purchase-offer.js', measure: 'brotli', limit: 64_000 },
];

/** Bytes of a file as it is, gzipped and brotlied. */
export function sizesOf(content) {
  return {
    raw: content.length,
    gzip: zlib.gzipSync(content, { level: 9 }).length,
    brotli: zlib.brotliCompressSync(content).length,
  };
}

let tooLarge = 0;
for (const { file, measure, limit } of LIMITS) {
  const sizes = sizesOf(fs.readFileSync(path.join(REPOSITORY, file)));
  const isWithin = sizes[measure] <= limit;
  if (!isWithin) tooLarge += 1;
  const { raw, gzip, brotli } = sizes;
  console.log(
    `${isWithin ? 'ok  ' : 'OVER'} ${file}  raw ${raw}, gzip ${gzip}, brotli ${brotli}  (limit ${limit} ${measure})`,
  );
}
process.exit(tooLarge ? 1 : 0);
