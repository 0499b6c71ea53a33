//! The PostgreSQL that Batchdesk brings up itself when `DATABASE_URL` is not set.
