-- Large files in the object store: their row names the object. A binary that knows nothing of it finds neither bytes nor
-- parts, and fails to read such a file rather than take it for an empty one.
ALTER TABLE file
  ADD length    bigint CHECK (length >= 0),     -- null: kept before sizes were
  ADD object_id uuid,                           -- null: bytes or file_part has it
  ADD CONSTRAINT kept_once CHECK (object_id IS NULL OR (bytes IS NULL AND length IS NOT NULL));
CREATE INDEX file_by_object ON file (organisation_id, object_id) WHERE object_id IS NOT NULL;
GRANT SELECT (length, object_id) ON file TO batchdesk_worker;
