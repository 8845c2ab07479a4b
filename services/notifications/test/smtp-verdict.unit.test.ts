import { expect } from 'chai';
import { verdictOf } from '../src/channels/smtp-verdict.ts';

function failure(code: string, responseCode?: number): Error {
  return Object.assign(new Error('no'), { code, ...(responseCode === undefined ? {} : { responseCode }) });
}

describe('What an SMTP failure means', () => {
  const cases: [string, Error, boolean, string][] = [
    ['nobody answers: everything waits', failure('ECONNECTION'), false, 'away'],
    ['the server is silent: everything waits', failure('ETIMEDOUT'), false, 'away'],
    ['the greeting is a refusal: everything waits', failure('EPROTOCOL', 554), false, 'away'],
    [
      'the login is refused: everything waits, until somebody corrects the password',
      failure('EAUTH', 535),
      false,
      'away',
    ],
    ['the server closes down: everything waits', failure('EMESSAGE', 421), true, 'away'],
    ['the recipient is refused for good', failure('EENVELOPE', 550), false, 'refused'],
    ['the recipient is refused for now', failure('EENVELOPE', 450), false, 'again'],
    ['the message is refused for good after it was handed over', failure('EMESSAGE', 554), true, 'refused'],
    ['the message is refused for now after it was handed over', failure('EMESSAGE', 451), true, 'again'],
    ['the commands were out of order: another session may do', failure('EENVELOPE', 503), false, 'again'],
    ['the address is none', failure('EENVELOPE'), false, 'refused'],
    ['the connection broke before the handover', failure('ESOCKET'), false, 'away'],
    ['the connection broke after the handover', failure('ESOCKET'), true, 'unknown'],
    ['no answer came in time after the handover', failure('ETIMEDOUT'), true, 'unknown'],
    ['the state could not be committed', failure('ESTREAM'), false, 'again'],
  ];
  for (const [what, error, handedOver, verdict] of cases) {
    it(`${what} (${verdict})`, () => {
      expect(verdictOf(error, { handedOver }).kind).to.equal(verdict);
    });
  }
});
