// npm run contracts: classifies every difference between contracts/ and the last recorded release
import { fileURLToPath } from 'node:url';
import { errorText } from '@taskwire/errors';
import { judgeContracts } from './contract-gate.ts';

try {
  const { release, findings, faults } = judgeContracts(fileURLToPath(new URL('../../', import.meta.url)), new Date());
  for (const { judgement, text } of findings) console.log(`${judgement.padEnd(5)}  ${text}`);
  console.log(
    `${findings.length} differences since release ${release}; ${faults.length === 0 ? 'every break is accepted' : 'not accepted:'}`,
  );
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
} catch (error) {
  console.error(errorText(error));
  process.exitCode = 1;
}
