-- Records: the rows of a file as they were validated, and the unique ids that they hold.
--
-- Records come in by COPY. PostgreSQL refuses COPY on a table with row-level security, so `record` is a parent that
-- holds no rows and has the policy, over leaves that hold the rows and have none.
--
-- READ     through the parent only. The policy of the table that a statement names is the one that counts, so all rows
--          come through it.
-- WRITE    the web part adds records to a leaf, guarded by a trigger on it; functions of the owner add revisions
--          through the parent, guarded by its policy. Nobody, not even the owner, has a right to read or change a leaf
--          by its own name.
-- MORE     leaves: ids of batches are v7 and grow with time, so a leaf can be a span of time. The first one has all of
--          it; a second one would end the first at an id. Every leaf needs record_leaf_guard, the two grants and no
--          more: the tests look at each.
-- The policy of a partitioned table is looked up for the statement, partitions for the plan: with one leaf, plans are
-- those of the leaf.

CREATE TABLE record (                           -- immutable: no UPDATE or DELETE is granted to anyone but the owner
  amount_minor    bigint NOT NULL,
  row_no          int NOT NULL CHECK (row_no > 0),          -- S.No: the record's number from 1
  sheet_row       int NOT NULL CHECK (sheet_row > 0),       -- row of the spreadsheet, where the header is 1
  revision        smallint NOT NULL DEFAULT 1,              -- a corrected row is a new record under the same row_no
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  gateway_key     text COLLATE "C" NOT NULL,   -- made once at ingest; a new revision has a new key, for FAILED is final
                                                -- at the gateway
  order_id        text COLLATE "C" NOT NULL,
  unique_id       text COLLATE "C",
  txn_id          text COLLATE "C",
  request_sha256  bytea NOT NULL,               -- of the canonical request; what is sent must match it
  extra           text,                         -- JSON text {"split":…,"udf":[…]}, not jsonb (which costs more than
                                                -- twice as much to write)
  -- What moves money has an amount and a key at the gateway; what only asks has neither.
  CONSTRAINT money_has_a_key CHECK (
    (amount_minor > 0 AND gateway_key <> '') OR (amount_minor = 0 AND gateway_key = '')),
  PRIMARY KEY (organisation_id, batch_id, row_no, revision)
) PARTITION BY RANGE (batch_id);
-- No foreign key to batch: checked per row it costs more than the insert itself. The guard of the leaf does the same
-- once a statement.
CREATE TABLE record_leaf PARTITION OF record FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
-- Search across batches, look-alikes; by the key at the gateway, by transaction. All are prefix searches on "C"
-- columns: ranges of one index, however many records there are. The uploaded unique id is found through
-- unique_id_taken.
CREATE INDEX record_leaf_by_order ON record_leaf (organisation_id, order_id);
CREATE INDEX record_leaf_by_key ON record_leaf (organisation_id, gateway_key);
CREATE INDEX record_leaf_by_txn ON record_leaf (organisation_id, txn_id) WHERE txn_id IS NOT NULL;
-- The parent's take those of the leaf over.
CREATE INDEX record_by_order ON record (organisation_id, order_id);
CREATE INDEX record_by_key ON record (organisation_id, gateway_key);
CREATE INDEX record_by_txn ON record (organisation_id, txn_id) WHERE txn_id IS NOT NULL;
CALL of_organisation('record');
GRANT SELECT ON record TO batchdesk_web, batchdesk_worker;
REVOKE ALL ON record_leaf FROM batchdesk_owner;
GRANT INSERT ON record_leaf TO batchdesk_web;

CREATE TABLE unique_id_taken (                 -- beside record, because an id is given back when its row was never sent
  organisation_id uuid NOT NULL,
  batch_id        uuid NOT NULL,
  row_no          int NOT NULL,
  unique_id       text COLLATE "C" NOT NULL,
  PRIMARY KEY (organisation_id, unique_id)
);
CALL of_organisation('unique_id_taken');
GRANT SELECT ON unique_id_taken TO batchdesk_web, batchdesk_worker;
