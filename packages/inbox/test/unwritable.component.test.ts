import { readOnly, refusing, testUnwritable } from './unwritable.ts';

// further faults are in unwritable.drill.test.ts
describe('inbox whose database responds but accepts no writes', () => {
  testUnwritable({
    'is read-only': readOnly(),
    'has no disk space for the effect': refusing('effects', '53100'),
  });
});
