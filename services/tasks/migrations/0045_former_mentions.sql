-- min_version: 0.3.0
-- Every user is named in `mentions_added` at most once for each comment (ADR 54), also if the mention was removed in the meantime. A trigger keeps the
-- list, so that the changes that release 0.3.0 makes during an upgrade count as well.
ALTER TABLE task_comments ADD COLUMN ever_mentioned uuid[];
COMMENT ON COLUMN task_comments.ever_mentioned IS 'the users whom any text of the comment mentioned; null if the mentions have never been written again';
CREATE FUNCTION remember_mentions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.ever_mentioned := ARRAY(SELECT unnest(coalesce(OLD.ever_mentioned, OLD.mentions)) UNION SELECT unnest(NEW.mentions));
  RETURN NEW;
END
$$;
CREATE TRIGGER remember_mentions BEFORE UPDATE OF mentions ON task_comments FOR EACH ROW EXECUTE FUNCTION remember_mentions();
