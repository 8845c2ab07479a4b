import { expect } from 'chai';
import { smtpResult } from '../src/channels/email/smtp-result.ts';

function failure(code: string, responseCode?: number): Error {
  return Object.assign(new Error('no'), { code, ...(responseCode === undefined ? {} : { responseCode }) });
}

describe('The result of an SMTP failure', () => {
  const cases: [string, Error, boolean, string][] = [
    ['makes all deliveries wait while the server is unreachable', failure('ECONNECTION'), false, 'channel_unavailable'],
    ['makes all deliveries wait while the server is silent', failure('ETIMEDOUT'), false, 'channel_unavailable'],
    ['makes all deliveries wait after a refusing greeting', failure('EPROTOCOL', 554), false, 'channel_unavailable'],
    [
      'makes all deliveries wait after a refused log-in, until the password is corrected',
      failure('EAUTH', 535),
      false,
      'channel_unavailable',
    ],
    ['makes all deliveries wait when the server shuts down', failure('EMESSAGE', 421), true, 'channel_unavailable'],
    ['is permanent if the recipient is refused permanently', failure('EENVELOPE', 550), false, 'refused'],
    ['is a retry if the recipient is refused temporarily', failure('EENVELOPE', 450), false, 'retry'],
    ['is permanent if the message is refused permanently after the handoff', failure('EMESSAGE', 554), true, 'refused'],
    ['is a retry if the message is refused temporarily after the handoff', failure('EMESSAGE', 451), true, 'retry'],
    [
      'is a retry if the commands were out of order: another session may succeed',
      failure('EENVELOPE', 503),
      false,
      'retry',
    ],
    ['is permanent if the address is malformed', failure('EENVELOPE'), false, 'refused'],
    [
      'makes all deliveries wait if the connection broke before the handoff',
      failure('ESOCKET'),
      false,
      'channel_unavailable',
    ],
    ['is unknown if the connection broke after the handoff', failure('ESOCKET'), true, 'unknown'],
    ['is unknown if no response arrived in time after the handoff', failure('ETIMEDOUT'), true, 'unknown'],
    ['is a retry if the state could not be committed', failure('ESTREAM'), false, 'retry'],
  ];
  for (const [what, error, handedOff, result] of cases) {
    it(`${what} (${result})`, () => {
      expect(smtpResult(error, { handedOff }).kind).to.equal(result);
    });
  }
});
