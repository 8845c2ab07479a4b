CREATE TABLE signing_keys (
  -- RFC 7638 thumbprint of the public key
  kid         text        PRIMARY KEY,
  public_jwk  jsonb       NOT NULL,
  -- AES-256-GCM under KEY_ENCRYPTION_SECRET: 12 bytes nonce, 16 bytes tag, PKCS #8; the kid is authenticated with it
  private_key bytea       NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  retired_at  timestamptz
);

-- one key signs; replicas that make the first one at the same time: one insert wins
CREATE UNIQUE INDEX signing_keys_active ON signing_keys ((true)) WHERE retired_at IS NULL;
