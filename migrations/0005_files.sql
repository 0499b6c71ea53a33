-- Files as they came, and drafts.

CREATE TABLE file (                                -- the hash is its name
  organisation_id uuid NOT NULL REFERENCES organisation,
  sha256          bytea NOT NULL CHECK (length(sha256) = 32),
  bytes           bytea NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organisation_id, sha256)
);
-- A file is one large value. The default way to make it smaller takes longer than all its records; a server built
-- without lz4 keeps it.
DO $$ BEGIN ALTER TABLE file ALTER bytes SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN NULL; END $$;
CALL of_organisation('file');
-- A file that no batch and no draft names any more is deleted by the housekeeping. Whoever is about to name one that is
-- there already touches it, so that it is not deleted between the two.
GRANT SELECT, INSERT, UPDATE (created_at) ON file TO batchdesk_web;
GRANT SELECT (organisation_id, sha256, created_at), DELETE ON file TO batchdesk_worker;

CREATE TABLE draft (                               -- a description, or a file with findings; no batch, in no list, 24 h
  organisation_id uuid NOT NULL REFERENCES organisation,
  id              uuid NOT NULL,
  operation       text NOT NULL,
  person_id       uuid NOT NULL DEFAULT current_person(),
  description     text NOT NULL DEFAULT '',
  options         text NOT NULL DEFAULT '',        -- what else was chosen with the file, so that it is still chosen
                                                   -- when the form comes back
  file_name       text NOT NULL DEFAULT '',
  file_sha256     bytea,
  file_bytes      bigint NOT NULL DEFAULT 0,
  rows            bigint NOT NULL DEFAULT 0,
  findings        text NOT NULL DEFAULT '[]',      -- JSON as the page shows it
  repeats         text NOT NULL DEFAULT '[]',
  created_at      timestamptz NOT NULL,
  expires_at      timestamptz NOT NULL,
  PRIMARY KEY (organisation_id, id)
);
CREATE INDEX draft_by_expiry ON draft (organisation_id, expires_at);
-- The newest drafts of a person, and whether any draft names a file.
CREATE INDEX draft_by_person ON draft (organisation_id, person_id, created_at, id);
CREATE INDEX draft_by_file ON draft (organisation_id, file_sha256) WHERE file_sha256 IS NOT NULL;
CALL of_organisation('draft');
GRANT SELECT, INSERT, DELETE, UPDATE (description, file_name, file_sha256, file_bytes, rows, findings, repeats)
  ON draft TO batchdesk_web;
GRANT SELECT, DELETE ON draft TO batchdesk_worker;         -- drafts that have expired
