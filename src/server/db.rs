//! All SQL. Functions take a transaction of one organisation ([`Tx`]) and answer one question each.

/// The database, by pools of the roles that the parts of the process have.
#[derive(Clone)]
pub struct Db;
