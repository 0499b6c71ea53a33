-- Lists of batches by person and by day: each is a range of an index in the order of Date Created, however many batches there are.
-- The second one also answers who has uploaded anything, with one look a person.
CREATE INDEX batch_by_created ON batch (organisation_id, operation, created_at, id);
CREATE INDEX batch_by_maker   ON batch (organisation_id, operation, maker, created_at, id);
