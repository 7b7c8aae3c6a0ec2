/**
 * Checks the theme extension: Shopify's theme-check, then the block schemas that theme-check leaves unread.
 *
 *   node tools/lint_theme.mjs
 *
 * Warnings fail as well: a theme extension is small enough to be clean.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { themeCheckRun } from '@shopify/theme-check-node';
import { checkThemeSchemas } from './theme_schema.mjs';

const THEME = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../extensions/upsell-theme');

/** theme-check's complaints, one line each. It tries to refresh its documentation and falls back to its own copy. */
export async function checkTheme(folder) {
  const { offenses } = await themeCheckRun(folder, 'theme-check:theme-app-extension', () => {});
  return offenses.map(({ uri, start, check, message }) => {
    const file = path.relative(folder, fileURLToPath(uri));
    return `${file}:${start.line + 1} ${check}: ${message}`;
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const complaints = [...(await checkTheme(THEME)), ...checkThemeSchemas(THEME)];
  for (const complaint of complaints) console.error(complaint);
  console.log(`theme: ${complaints.length} complaints`);
  process.exit(complaints.length ? 1 : 0);
}
