-- Search from every page: by order (record_by_order stands already), by transaction, by the key at the gateway. All are prefix
-- searches on "C" columns: ranges of one index, however many records there are. The uploaded unique id is found through
-- unique_id_taken, which has its index as primary key.
CREATE INDEX record_by_key ON record (organisation_id, gateway_key);
CREATE INDEX record_by_txn ON record (organisation_id, txn_id) WHERE txn_id IS NOT NULL;    -- few rows have one
