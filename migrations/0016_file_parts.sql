-- Large files in parts, so that nobody ever has to hold one whole. And batches are sealed in one pass over their records
-- (functions/batches.sql, functions/unique_ids.sql).

-- A file of up to 1 MiB stands here, as all did until now. Of a longer one it is null, and file_part has its bytes: a
-- binary that knows nothing of parts fails to read such a file rather than take it for an empty one.
ALTER TABLE file ALTER bytes DROP NOT NULL;

CREATE TABLE file_part (
  organisation_id uuid NOT NULL,
  sha256          bytea NOT NULL,
  part_no         int NOT NULL CHECK (part_no > 0),
  bytes           bytea NOT NULL CHECK (length(bytes) BETWEEN 1 AND 1048576),
  PRIMARY KEY (organisation_id, sha256, part_no),
  FOREIGN KEY (organisation_id, sha256) REFERENCES file ON DELETE CASCADE
);
-- As in file: the default way to make it smaller takes longer than all the records.
DO $$ BEGIN ALTER TABLE file_part ALTER bytes SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
CALL of_organisation('file_part');
GRANT SELECT, INSERT ON file_part TO batchdesk_web;
GRANT SELECT ON file_part TO batchdesk_worker;             -- the sources of imports
