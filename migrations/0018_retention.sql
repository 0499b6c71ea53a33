-- Files of batches that are over are kept for a time, and then deleted (functions/retention.sql).
ALTER TABLE batch ADD file_deleted_at timestamptz;      -- its file was kept as long as it had to be; the page says so
CREATE INDEX batch_with_file ON batch (organisation_id, work, created_at)
  WHERE file_sha256 IS NOT NULL AND file_deleted_at IS NULL;
-- Whether any import names a file.
CREATE INDEX batch_source_by_file ON batch_source (organisation_id, sha256);

-- When old files were last looked for, so that of several processes one does so, once an hour.
CREATE TABLE retention_run (
  organisation_id uuid PRIMARY KEY REFERENCES organisation,
  at              timestamptz NOT NULL
);
CALL of_organisation('retention_run');
GRANT SELECT, INSERT, UPDATE (at) ON retention_run TO batchdesk_worker;
