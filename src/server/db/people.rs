//! People, and which organisations they and API keys belong to. Global and look-up tables.

use super::{GlobalTx, Tx};
use crate::domain::ids::{OrganisationId, PersonId};
use time::OffsetDateTime;
use uuid::Uuid;

/// A person with what is needed to check a password.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// Who.
    pub id: PersonId,
    /// Lower case.
    pub email: String,
    /// Argon2id, PHC form.
    pub password_hash: String,
    /// Sessions made before are void.
    pub sessions_since: OffsetDateTime,
}

fn row((id, email, password_hash, sessions_since): (Uuid, String, String, OffsetDateTime)) -> PersonRow {
    PersonRow { id: PersonId(id), email, password_hash, sessions_since }
}

/// The person with this e-mail (any case).
pub async fn by_email(tx: &mut GlobalTx, email: &str) -> sqlx::Result<Option<PersonRow>> {
    sqlx::query_as("SELECT id, email, password_hash, sessions_since FROM person WHERE email = lower($1)")
        .bind(email)
        .fetch_optional(tx.conn())
        .await
        .map(|found| found.map(row))
}

/// The person with this id.
pub async fn by_id(tx: &mut Tx, person: PersonId) -> sqlx::Result<Option<PersonRow>> {
    sqlx::query_as("SELECT id, email, password_hash, sessions_since FROM person WHERE id = $1")
        .bind(person.0)
        .fetch_optional(tx.conn())
        .await
        .map(|found| found.map(row))
}

/// Adds a person; false when the e-mail is taken.
pub async fn insert(
    tx: &mut Tx,
    person: PersonId,
    email: &str,
    password_hash: &str,
    now: OffsetDateTime,
) -> sqlx::Result<bool> {
    sqlx::query(
        "INSERT INTO person (id, email, password_hash, sessions_since, created_at) VALUES ($1, lower($2), $3, $4, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(person.0)
    .bind(email)
    .bind(password_hash)
    .bind(now)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Sets a password; every session proved before `now` is void.
pub async fn set_password(
    tx: &mut GlobalTx,
    person: PersonId,
    password_hash: &str,
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    sqlx::query("UPDATE person SET password_hash = $2, sessions_since = $3 WHERE id = $1")
        .bind(person.0)
        .bind(password_hash)
        .bind(now)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// The organisations of a person, by name.
pub async fn organisations(tx: &mut GlobalTx, person: PersonId) -> sqlx::Result<Vec<OrganisationId>> {
    sqlx::query_as::<_, (Uuid,)>(
        "SELECT p.organisation_id FROM person_organisation p JOIN organisation_name n USING (organisation_id)
          WHERE p.person_id = $1 ORDER BY n.name",
    )
    .bind(person.0)
    .fetch_all(tx.conn())
    .await
    .map(|rows| rows.into_iter().map(|(id,)| OrganisationId(id)).collect())
}

/// The organisation of this name.
pub async fn organisation_by_name(tx: &mut GlobalTx, name: &str) -> sqlx::Result<Option<OrganisationId>> {
    sqlx::query_as::<_, (Uuid,)>("SELECT organisation_id FROM organisation_name WHERE name = $1")
        .bind(name)
        .fetch_optional(tx.conn())
        .await
        .map(|found| found.map(|(id,)| OrganisationId(id)))
}

/// Organisation and id of the API key with this hash.
pub async fn api_key(tx: &mut GlobalTx, key_sha256: &[u8]) -> sqlx::Result<Option<(OrganisationId, Uuid)>> {
    sqlx::query_as::<_, (Uuid, Uuid)>(
        "SELECT organisation_id, api_key_id FROM api_key_organisation WHERE key_sha256 = $1",
    )
    .bind(key_sha256)
    .fetch_optional(tx.conn())
    .await
    .map(|found| found.map(|(organisation, key)| (OrganisationId(organisation), key)))
}
