-- Records come in by COPY. PostgreSQL refuses COPY on a table with row-level security, so `record` becomes a parent that holds no rows and
-- has the policy, over leaves that hold the rows and have none. Nothing is copied: the table as it was is the first leaf.
--
-- READ     through the parent only. The policy of the table that a statement names is the one that counts, so all rows come through it.
-- WRITE    the web part adds records to a leaf, guarded by a trigger on it; functions of the owner add revisions through the parent, guarded
--          by its policy. Nobody, not even the owner, has a right to read or change a leaf by its own name.
-- MORE     leaves: ids of batches are v7 and grow with time, so a leaf can be a span of time. The first one has all of it; a second one
--          would end the first at an id. Every leaf needs record_leaf_guard, the two grants and no more: the tests look at each.
-- The policy of a partitioned table is looked up for the statement, partitions for the plan: with one leaf, plans are those of the leaf.

ALTER TABLE record RENAME TO record_leaf;
ALTER INDEX record_pkey RENAME TO record_leaf_pkey;
ALTER INDEX record_by_order RENAME TO record_leaf_by_order;
ALTER INDEX record_by_key RENAME TO record_leaf_by_key;
ALTER INDEX record_by_txn RENAME TO record_leaf_by_txn;

-- Same columns in the same order: no row is turned into another shape on its way.
CREATE TABLE record (LIKE record_leaf INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE INCLUDING COMPRESSION) PARTITION BY RANGE (batch_id);
ALTER TABLE record ADD PRIMARY KEY (organisation_id, batch_id, row_no, revision);
CREATE INDEX record_by_order ON record (organisation_id, order_id);
CREATE INDEX record_by_key ON record (organisation_id, gateway_key);
CREATE INDEX record_by_txn ON record (organisation_id, txn_id) WHERE txn_id IS NOT NULL;

-- Views keep to the table they were made on, whatever it is called now: they are made again over the parent.
DO $$ DECLARE v record; BEGIN
  FOR v IN SELECT DISTINCT c.oid::regclass AS name, 'WITH (' || array_to_string(c.reloptions, ', ') || ')' AS options, pg_get_viewdef(c.oid) AS definition
             FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid JOIN pg_class c ON c.oid = w.ev_class AND c.relkind = 'v'
            WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = 'record_leaf'::regclass LOOP
    EXECUTE format('CREATE OR REPLACE VIEW %s %s AS %s', v.name, v.options, regexp_replace(v.definition, '\mrecord_leaf\M', 'record', 'g'));
  END LOOP;
END $$;

---------------------------------------------------------------------------------------------------- the parent has the policy
ALTER TABLE record ENABLE ROW LEVEL SECURITY;
ALTER TABLE record FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON record TO batchdesk_web, batchdesk_worker, batchdesk_owner
  USING (organisation_id = (SELECT current_organisation())) WITH CHECK (organisation_id = (SELECT current_organisation()));
GRANT SELECT ON record TO batchdesk_web, batchdesk_worker;

---------------------------------------------------------------------------------------------------- the leaf has the guard
-- What the policies said of new rows: one's own organisation, and only the batch that is being read in, as it was uploaded. Once a statement.
CREATE FUNCTION record_leaf_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, desk, pg_temp AS $$
DECLARE organisation uuid := current_organisation(); batch uuid := open_batch(); foreign_row boolean;
BEGIN
  SELECT w.organisation_id IS DISTINCT FROM organisation INTO foreign_row FROM written w
   WHERE w.organisation_id IS DISTINCT FROM organisation OR w.batch_id IS DISTINCT FROM batch OR w.revision <> 1 LIMIT 1;
  IF foreign_row THEN RAISE EXCEPTION 'a record of another organisation' USING ERRCODE = 'BD403'; END IF;
  IF FOUND THEN RAISE EXCEPTION 'a record of a batch that is not being read in' USING ERRCODE = 'BD409'; END IF;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION record_leaf_guard() FROM PUBLIC;
CREATE TRIGGER record_leaf_guard AFTER INSERT ON record_leaf REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION record_leaf_guard();

DROP POLICY tenant ON record_leaf;
DROP POLICY sealed ON record_leaf;
ALTER TABLE record_leaf NO FORCE ROW LEVEL SECURITY;
ALTER TABLE record_leaf DISABLE ROW LEVEL SECURITY;
-- The bounds leave nothing to be checked, so the rows are not read.
ALTER TABLE record ATTACH PARTITION record_leaf FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
REVOKE ALL ON record_leaf FROM PUBLIC, batchdesk_web, batchdesk_worker, batchdesk_owner;
GRANT INSERT ON record_leaf TO batchdesk_web;
