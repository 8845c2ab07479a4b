-- Whether the user has shown that the address is theirs, in the state that was fetched last. Null in rows from before this column, until the next full
-- sweep fetches them again: readers take null as not verified.
ALTER TABLE directory_users ADD COLUMN email_verified boolean;
