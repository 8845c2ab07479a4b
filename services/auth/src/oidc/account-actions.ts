import type { AccountLink, LinkPurpose, RequestablePurpose } from '../domain/account-link.ts';
import type { RequestOrigin } from '../domain/audit-context.ts';
import type { LinkVisitor } from '../app/link-visitor.ts';

/** The actions behind the pages; the JSON API uses the same ones. */
export type AccountActions = {
  requestMail(purpose: RequestablePurpose, email: string, origin: RequestOrigin): Promise<void>;
  /** Returns a link that is valid or has already been used. @throws Problem `link_not_valid`. */
  checkLink(token: string, purpose: LinkPurpose): Promise<AccountLink>;
  isHolder(visitor: LinkVisitor, link: AccountLink): Promise<boolean>;
  verifyEmail(given: { token: string; new_password?: string | undefined }, visitor: LinkVisitor): Promise<void>;
  confirmEmail(given: { token: string; current_password?: string | undefined }, visitor: LinkVisitor): Promise<void>;
  undoEmailChange(given: { token: string }, origin: RequestOrigin): Promise<{ resetToken: string } | undefined>;
  resetPassword(given: { token: string; new_password: string }, origin: RequestOrigin): Promise<void>;
};
