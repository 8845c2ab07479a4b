// npm run drills [-- <part of a path> …] [-- --grep <text>]
// Tests that take long, tests that measure time and therefore need a quiet machine, and every property with many runs.
process.env['TASKWIRE_TEST_STAGES'] = 'drills';
process.env['TASKWIRE_TEST_DRILLS'] = 'yes';
// in this process, which receives the signals and the bootstrap's kill -9
await import('./run.ts');
