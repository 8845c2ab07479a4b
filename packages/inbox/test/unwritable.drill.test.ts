import { locked, refusing, testUnwritable } from './unwritable.ts';

describe('inbox whose database responds but accepts no writes', () => {
  testUnwritable({
    'has no disk space for the deduplication rows': refusing('inbox', '53100'),
    'has no memory for the effect': refusing('effects', '53200'),
    'has an I/O error during the effect': refusing('effects', '58030'),
    'keeps the table of the effect locked': locked('effects'),
  });
});
