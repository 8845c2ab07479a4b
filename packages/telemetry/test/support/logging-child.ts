import { setTimeout as delay } from 'node:timers/promises';
import { createTelemetry } from '../../src/index.ts';

const { logger } = createTelemetry({ service: 'child' });
const killed = () => process.kill(process.pid, 'SIGKILL');

/** The ways in which a process can continue or end after logging. */
const scenes: Record<string, () => Promise<void> | void> = {
  async killed() {
    logger.info('first');
    // this delay ends after the batch is written, because the batch's timer was set earlier
    await delay(20);
    logger.info('last');
    killed();
  },
  killedAfterWarning() {
    logger.info('first');
    logger.warn('second');
    logger.info('third');
    logger.error('last');
    killed();
  },
  killedWhileBusy() {
    logger.info('first');
    // only then, so that the first line has waited for so long on a loaded machine, too
    const end = performance.now() + 30;
    while (performance.now() < end);
    logger.info('last');
    killed();
  },
  exits() {
    logger.info('first');
    process.on('exit', () => logger.info('last'));
    process.exit(3);
  },
  ends() {
    logger.info('first');
  },
  throws() {
    logger.info('first');
    throw new Error('uncaught');
  },
  async terminated() {
    process.on('SIGTERM', () => {
      logger.info('last');
      process.exit(0);
    });
    // keeps the process alive
    setInterval(() => undefined, 60_000);
    await delay(20);
    logger.info('first');
    process.kill(process.pid, 'SIGTERM');
  },
  async floods() {
    for (let n = 0; n < 4_000; n++) logger.info(`${n} ${'x'.repeat(1_000)}`);
    await delay(50);
    process.send?.('not blocked', () => process.disconnect?.());
  },
  closed() {
    process.on('uncaughtException', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 32 : 1));
    process.on('message', () => logger.info('first'));
  },
};

await scenes[process.argv[2] ?? '']?.();
