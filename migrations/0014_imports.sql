-- Imports: batches that store a set of rows. They have no effect outside, so they have no connection, no currency, no
-- decision and no task a row; their work is one row, which is leased as a run of tasks is.

ALTER TABLE batch ALTER currency DROP NOT NULL, DROP CONSTRAINT connected,
  ADD CONSTRAINT connected CHECK (
    (work = 'import') = (gateway_id IS NULL) AND (work = 'import') = (currency IS NULL));

CREATE TABLE import_run (                       -- the work of an import, and how far it is
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  phase           text NOT NULL DEFAULT 'check' CHECK (phase IN ('check', 'store', 'done')),
                  -- check: nothing of it is stored yet, it may still be refused as a whole. store: run by run
  source_no       int NOT NULL DEFAULT 1,       -- the source, and the place in its text as it was decoded, from which
  byte_offset     bigint NOT NULL DEFAULT 0,    -- the next run is read: moved with the rows before it, in one commit
  lease_until     timestamptz NOT NULL DEFAULT now(),   -- due from then on; infinity while the batch is paused
  epoch           bigint NOT NULL DEFAULT 0,    -- the fence: + 1 with each claim, pause, resume and cancel
  CHECK (source_no > 0 AND byte_offset >= 0),
  PRIMARY KEY (organisation_id, batch_id),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
) WITH (fillfactor = 50);
CREATE INDEX import_due ON import_run (organisation_id, lease_until) WHERE phase <> 'done';
CALL of_organisation('import_run');
CALL seen_by_scheduler('import_run');
GRANT SELECT ON import_run TO batchdesk_web, batchdesk_worker;
-- A claim, and giving it back. How far it is moves in functions alone, which look at the lease.
GRANT UPDATE (epoch, lease_until) ON import_run TO batchdesk_worker;
GRANT SELECT (organisation_id, phase, lease_until) ON import_run TO batchdesk_scheduler;

CREATE TABLE batch_source (                     -- what came in, and what became of its rows
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  source_no       int NOT NULL,
  file_name       text COLLATE "C" NOT NULL,
  sha256          bytea NOT NULL CHECK (length(sha256) = 32),
  bytes           bigint NOT NULL,
  total           int,                          -- null until it was counted
  created         int NOT NULL DEFAULT 0,
  skipped         int NOT NULL DEFAULT 0,       -- there already, or not handled before the import was called off
  failed          int NOT NULL DEFAULT 0,       -- did not pass their checks
  CONSTRAINT handled CHECK (
    least(created, skipped, failed) >= 0 AND created + skipped + failed <= coalesce(total, 0)),
  PRIMARY KEY (organisation_id, batch_id, source_no),
  FOREIGN KEY (organisation_id, batch_id) REFERENCES batch (organisation_id, id)
);
CALL of_organisation('batch_source');
GRANT SELECT ON batch_source TO batchdesk_web, batchdesk_worker;

-- Rows of an import come in through the same door as records of an upload, with a guard of its own (record_leaf_guard).
GRANT INSERT ON record_leaf TO batchdesk_worker;
GRANT SELECT (bytes) ON file TO batchdesk_worker;
