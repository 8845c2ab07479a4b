import type { AuditEntry } from '@taskwire/contracts';
import { defineEntity } from '@taskwire/postgres';
import type { User } from '../app/ports/users.ts';

/** A user in lists. */
export const userEntity = defineEntity<User>({
  table: 'users',
  columns: {
    id: { type: 'uuid' },
    email: { type: 'text' },
    name: { type: 'text' },
    role: { type: 'text' },
    email_verified: { type: 'boolean' },
    version: { type: 'integer' },
    created_at: { type: 'timestamp with time zone' },
    updated_at: { type: 'timestamp with time zone' },
    deleted_at: { type: 'timestamp with time zone', nullable: true, select: false },
    erased_at: { type: 'timestamp with time zone', nullable: true, select: false },
    tokens_valid_after: { type: 'timestamp with time zone', nullable: true, select: false },
  },
  // the password hash is unmapped on purpose, so that no list can select it
  unmapped: ['password_hash', 'pending_email', 'self_registered'],
});

/** An entry of the audit log. Lists compute the entry's actor, subject and network address. */
export const auditEntity = defineEntity<Omit<AuditEntry, 'actor' | 'subject' | 'ip'>>({
  table: 'audit_log',
  columns: {
    id: { type: 'uuid' },
    at: { type: 'timestamp with time zone' },
    action: { type: 'text' },
    outcome: { type: 'text' },
    reason: { type: 'text', nullable: true },
    count: { type: 'integer' },
    user_agent: { type: 'text', nullable: true },
    request_id: { type: 'text', nullable: true },
    client_id: { type: 'text', nullable: true },
    client_request_id: { type: 'text', nullable: true },
    actor_kind: { type: 'text', nullable: true, select: false },
    actor_id: { type: 'text', nullable: true, select: false },
    subject_kind: { type: 'text', nullable: true, select: false },
    subject_id: { type: 'text', nullable: true, select: false },
    ip: { type: 'inet', nullable: true, select: false },
  },
});

export const entities = [userEntity, auditEntity];
