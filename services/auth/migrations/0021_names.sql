-- Names of tables, columns and constraints say what they hold. No row changes.

ALTER TABLE account_links RENAME COLUMN voided_at TO revoked_at;
ALTER TABLE account_links RENAME COLUMN void_reason TO revoke_reason;
ALTER TABLE account_links RENAME CONSTRAINT account_links_check TO account_links_revoked_has_reason;
ALTER TABLE account_links RENAME CONSTRAINT account_links_check1 TO account_links_used_is_not_revoked;
ALTER TABLE account_links RENAME CONSTRAINT account_links_void_reason_check TO account_links_revoke_reason_check;

-- State of the OpenID provider: codes, opaque tokens, browser log-ins, interactions, used assertions.
ALTER TABLE artifacts RENAME TO oidc_artifacts;
ALTER TABLE oidc_artifacts RENAME CONSTRAINT artifacts_pkey TO oidc_artifacts_pkey;
ALTER TABLE oidc_artifacts RENAME CONSTRAINT artifacts_session_id_fkey TO oidc_artifacts_session_id_fkey;
ALTER TABLE oidc_artifacts RENAME CONSTRAINT artifacts_user_id_fkey TO oidc_artifacts_user_id_fkey;
ALTER INDEX artifacts_expires_at RENAME TO oidc_artifacts_expires_at;
ALTER INDEX artifacts_session_id RENAME TO oidc_artifacts_session_id;
ALTER INDEX artifacts_uid RENAME TO oidc_artifacts_uid;

ALTER TABLE audit_log RENAME CONSTRAINT audit_log_check TO audit_log_actor_has_id;
ALTER TABLE audit_log RENAME CONSTRAINT audit_log_check1 TO audit_log_subject_has_id;
ALTER TABLE clients RENAME CONSTRAINT clients_client_id_check TO clients_id_is_not_first_party;
ALTER TABLE invitations RENAME CONSTRAINT invitations_check TO invitations_ended_has_reason;
ALTER TABLE invitations RENAME CONSTRAINT invitations_check1 TO invitations_used_has_user;
ALTER TABLE sessions RENAME CONSTRAINT sessions_check TO sessions_ended_has_reason;
ALTER TABLE sessions RENAME CONSTRAINT sessions_check1 TO sessions_client_has_payload;
ALTER TABLE users RENAME CONSTRAINT users_check TO users_deleted_has_no_password;
ALTER TABLE users RENAME CONSTRAINT users_check1 TO users_erased_is_deleted;
