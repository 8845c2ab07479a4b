-- Known networks are bound to the time for which an account's access lasts. Rows that are bound to an e-mail address match nothing any more.
DELETE FROM known_networks;
