import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['tests/extensions/**/*.test.mjs'],
    environment: 'node',
    restoreMocks: true,
  },
});
