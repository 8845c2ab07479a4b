import { selectLink } from './account-link-rows.ts';
import {
  consumeArtifact,
  findArtifact,
  findArtifactByUid,
  insertArtifact,
  saveArtifact,
  useGrant,
} from './artifact-rows.ts';
import { insertEntry } from './audit-rows.ts';
import { saveLogin } from './browser-logins.ts';
import { findClient } from './client-rows.ts';
import { addNetwork, findNetwork } from './known-networks.ts';
import { findGrant, findRefreshToken, saveGrant, saveRefreshToken } from './provider-adapter.ts';
import { claimToken } from './refresh-token-rows.ts';
import { checkAccess, continueSession, findSubject, openSession } from './sessions.ts';
import { findUser } from './user-changes.ts';
import { findCredentials } from './users.ts';

/** The prepared statements, for `statements.sql`. A test compares this list with the statements that are executed. */
export const hotStatements: readonly { name: string; text: string }[] = [
  findCredentials,
  findUser,
  findNetwork,
  addNetwork,
  openSession,
  checkAccess,
  findSubject,
  claimToken,
  continueSession,
  insertEntry,
  saveLogin,
  findClient,
  saveGrant,
  findGrant,
  useGrant,
  insertArtifact,
  saveArtifact,
  findArtifact,
  findArtifactByUid,
  consumeArtifact,
  saveRefreshToken,
  findRefreshToken,
  selectLink,
];
