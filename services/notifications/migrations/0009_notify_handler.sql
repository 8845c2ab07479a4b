-- The handler of task events is called `notify`. Its name is stored with each message, and identifies the messages that it has handled: without this
-- update, redelivered events would be handled again, and waiting ones by no handler. The tables are those of the inbox; they are found by their
-- column, because the migrations of the inbox may rename them.
DO $$
DECLARE
  inbox_table regclass;
BEGIN
  FOR inbox_table IN
    SELECT format('%I.%I', table_schema, table_name)::regclass FROM information_schema.columns
    JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = current_schema() AND column_name = 'handler' AND table_type = 'BASE TABLE'
      -- the audit log stays as it was written
      AND table_name NOT LIKE '%audit%'
  LOOP
    EXECUTE format('UPDATE %s SET handler = ''notify'' WHERE handler = ''tell''', inbox_table);
  END LOOP;
END
$$;
