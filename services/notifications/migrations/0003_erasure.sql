-- Those of erased users are looked for, also the ones without words.
CREATE INDEX notifications_user_id ON notifications (user_id);
CREATE INDEX directory_users_erased ON directory_users (id) WHERE is_deleted AND email = '';
