-- Networks from which somebody has logged in to an account: there, nobody's guesses from elsewhere slow them down.
CREATE TABLE known_networks (
  -- HMAC of the account's address and the network under a key of the service: neither can be read or guessed here
  hash       bytea       PRIMARY KEY,
  expires_at timestamptz NOT NULL
);
CREATE INDEX known_networks_expires_at ON known_networks (expires_at);
