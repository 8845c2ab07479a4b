-- Records the time of a backup where every login can read it: services report its age as database_backup_age_seconds.
DO $$
BEGIN
  EXECUTE format('COMMENT ON DATABASE postgres IS %L', 'last backup ' || clock_timestamp());
END
$$;
