-- A file that no batch and no draft names any more is deleted by the housekeeping. Whoever is about to name one that is there already
-- touches it, so that it is not deleted between the two.
GRANT SELECT (organisation_id, sha256, created_at), DELETE ON file TO batchdesk_worker;
GRANT UPDATE (created_at) ON file TO batchdesk_web;

-- The newest drafts of a person, and whether any draft names a file.
CREATE INDEX draft_by_person ON draft (organisation_id, person_id, created_at, id);
CREATE INDEX draft_by_file ON draft (organisation_id, file_sha256) WHERE file_sha256 IS NOT NULL;
