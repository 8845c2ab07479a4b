-- min_version: 0.3.0
-- The parser has types of their own for words with digits, which kept their accents: `cafe2` did not find `Café2`.
ALTER TEXT SEARCH CONFIGURATION task_text ALTER MAPPING FOR numword, numhword, hword_numpart WITH unaccent, simple;

-- Documents with such a word are written again here. If the follower indexed everything again, no new change would be found before it had indexed
-- all tasks, which takes it many minutes with millions of them. This reads the texts of all tasks and comments once, which takes about a minute with
-- ten million tasks, and writes the few documents that can change. While it runs, the row of the progress is locked, so the follower skips rounds:
-- `as_of` stays, and `tasks_search_lag_seconds` rises. Whatever is committed during that time has a later number than the
-- progress, so the follower indexes it afterwards.
SELECT FROM task_search_progress FOR UPDATE;

UPDATE task_search search SET document = setweight(to_tsvector('task_text', task.title), 'A')
  || setweight(to_tsvector('task_text', array_to_string(task.labels, ' ') || ' ' || task.description), 'B')
FROM tasks task
WHERE task.id = search.task_id AND task.deleted_at IS NULL
  -- a digit and a letter outside of ASCII without a space between them
  AND concat_ws(' ', task.title, array_to_string(task.labels, ' '), task.description) ~ '[0-9]\S*[^\x01-\x7f]|[^\x01-\x7f]\S*[0-9]';

UPDATE comment_search search SET document = setweight(to_tsvector('task_text', comment.body), 'C')
FROM task_comments comment
WHERE comment.id = search.comment_id AND comment.body ~ '[0-9]\S*[^\x01-\x7f]|[^\x01-\x7f]\S*[0-9]';
