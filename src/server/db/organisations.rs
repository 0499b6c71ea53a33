//! Organisations, roles and members.

use super::{Tx, codes};
use crate::domain::{
    access::{Module, Permissions, Right, Role},
    error::Refusal,
    ids::{OrganisationId, PersonId},
    money::Currency,
    view::OrganisationRef,
};
use time::OffsetDateTime;
use uuid::Uuid;

/// An organisation with its settings.
#[derive(Clone, Debug)]
pub struct OrganisationRow {
    /// What others see.
    pub reference: OrganisationRef,
    /// Data rows of a file, at most.
    pub row_limit: u32,
    /// Days until a waiting batch expires.
    pub approval_days: u32,
    /// Whether anything is sent at all.
    pub sending: bool,
    /// Since when not.
    pub stopped_at: Option<OffsetDateTime>,
    /// Why not.
    pub stopped_reason: Option<String>,
    /// The person who paused it; none when Batchdesk stopped it by itself.
    pub paused_by: Option<String>,
}

/// The organisation of this transaction.
pub async fn load(tx: &mut Tx) -> sqlx::Result<Option<OrganisationRow>> {
    let id = tx.organisation();
    type Row =
        (String, codes::Code<Currency>, String, i32, i32, bool, Option<OffsetDateTime>, Option<String>, Option<String>);
    let row = sqlx::query_as::<_, Row>(
        "SELECT name, currency, zone, row_limit, approval_days, sending, stopped_at, stopped_reason,
                (SELECT email FROM person WHERE person.id = paused_by)
           FROM organisation WHERE id = $1",
    )
    .bind(id.0)
    .fetch_optional(tx.conn())
    .await?;
    Ok(row.map(|(name, currency, zone, row_limit, approval_days, sending, stopped_at, stopped_reason, paused_by)| {
        OrganisationRow {
            reference: OrganisationRef { id, name, currency: currency.0, zone },
            row_limit: u32::try_from(row_limit).unwrap_or(0),
            approval_days: u32::try_from(approval_days).unwrap_or(0),
            sending,
            stopped_at,
            stopped_reason,
            paused_by,
        }
    }))
}

/// The person of this transaction pauses the whole organisation. False when it does not send already.
pub async fn pause(tx: &mut Tx, reason: &str, now: OffsetDateTime) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "UPDATE organisation SET sending = false, stopped_at = $2, stopped_reason = $3, paused_by = current_person()
          WHERE id = $1 AND sending",
    )
    .bind(id.0)
    .bind(now)
    .bind(reason)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// The organisation sends again. False when it does already.
pub async fn resume(tx: &mut Tx) -> sqlx::Result<bool> {
    let id = tx.organisation();
    sqlx::query(
        "UPDATE organisation SET sending = true, stopped_at = NULL, stopped_reason = NULL, paused_by = NULL
          WHERE id = $1 AND NOT sending",
    )
    .bind(id.0)
    .execute(tx.conn())
    .await
    .map(|done| done.rows_affected() == 1)
}

/// Makes the organisation of this transaction with its built-in roles. `Err` as a refusal when the name is taken.
pub async fn insert(
    tx: &mut Tx,
    name: &str,
    currency: Currency,
    zone: &str,
    now: OffsetDateTime,
) -> sqlx::Result<Result<(), Refusal>> {
    let id = tx.organisation();
    sqlx::query("INSERT INTO organisation (id, name, currency, zone, created_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(id.0)
        .bind(name)
        .bind(currency.code())
        .bind(zone)
        .bind(now)
        .execute(tx.conn())
        .await?;
    let named =
        sqlx::query("INSERT INTO organisation_name (name, organisation_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name)
            .bind(id.0)
            .execute(tx.conn())
            .await?;
    if named.rows_affected() == 0 {
        return Ok(Err(Refusal::new(
            crate::domain::error::RefusalKind::Conflict,
            format!("There is an organisation named {name} already."),
        )));
    }
    for role in Role::ALL {
        let role_id = Uuid::now_v7();
        sqlx::query("INSERT INTO role (organisation_id, id, code) VALUES ($1, $2, $3)")
            .bind(id.0)
            .bind(role_id)
            .bind(role.code())
            .execute(tx.conn())
            .await?;
        for (module, right) in role.permissions().0 {
            sqlx::query(
                r#"INSERT INTO role_permission (organisation_id, role_id, module, "right") VALUES ($1, $2, $3, $4)"#,
            )
            .bind(id.0)
            .bind(role_id)
            .bind(module.code())
            .bind(right.code())
            .execute(tx.conn())
            .await?;
        }
    }
    Ok(Ok(()))
}

/// Gives a person a role.
pub async fn add_member(tx: &mut Tx, person: PersonId, role: Role, now: OffsetDateTime) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query(
        "INSERT INTO membership (organisation_id, person_id, role_id, created_at)
         SELECT $1, $2, r.id, $4 FROM role r WHERE r.organisation_id = $1 AND r.code = $3 ON CONFLICT DO NOTHING",
    )
    .bind(id.0)
    .bind(person.0)
    .bind(role.code())
    .bind(now)
    .execute(tx.conn())
    .await?;
    sqlx::query("INSERT INTO person_organisation (person_id, organisation_id) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        .bind(person.0)
        .bind(id.0)
        .execute(tx.conn())
        .await
        .map(|_| ())
}

pub(super) fn permissions(rows: Vec<(String, String)>) -> Permissions {
    Permissions(
        rows.into_iter()
            .filter_map(|(module, right)| Some((Module::from_code(&module)?, Right::from_code(&right)?)))
            .collect(),
    )
}

/// The rights of a member; none when the person is not a member.
pub async fn member_permissions(tx: &mut Tx, person: PersonId) -> sqlx::Result<Option<Permissions>> {
    let id = tx.organisation();
    let rows = sqlx::query_as::<_, (String, String)>(
        r#"SELECT p.module, p."right" FROM membership m
             JOIN role_permission p ON p.organisation_id = m.organisation_id AND p.role_id = m.role_id
            WHERE m.organisation_id = $1 AND m.person_id = $2"#,
    )
    .bind(id.0)
    .bind(person.0)
    .fetch_all(tx.conn())
    .await?;
    Ok((!rows.is_empty()).then(|| permissions(rows)))
}

/// E-mails of the members with a right on a module, but for one person.
pub async fn members_with(tx: &mut Tx, module: Module, right: Right, but: PersonId) -> sqlx::Result<Vec<String>> {
    let id = tx.organisation();
    sqlx::query_as::<_, (String,)>(
        r#"SELECT DISTINCT x.email FROM membership m
             JOIN role_permission p ON p.organisation_id = m.organisation_id AND p.role_id = m.role_id
             JOIN person x ON x.id = m.person_id
            WHERE m.organisation_id = $1 AND p.module = $2 AND p."right" = $3 AND x.id <> $4 ORDER BY x.email"#,
    )
    .bind(id.0)
    .bind(module.code())
    .bind(right.code())
    .bind(but.0)
    .fetch_all(tx.conn())
    .await
    .map(|rows| rows.into_iter().map(|(email,)| email).collect())
}

/// Sets the row limit and the days that a batch waits for a decision.
pub async fn set_limits(tx: &mut Tx, row_limit: u32, approval_days: u32) -> sqlx::Result<()> {
    let id = tx.organisation();
    sqlx::query("UPDATE organisation SET row_limit = $2, approval_days = $3 WHERE id = $1")
        .bind(id.0)
        .bind(i32::try_from(row_limit).unwrap_or(i32::MAX))
        .bind(i32::try_from(approval_days).unwrap_or(i32::MAX))
        .execute(tx.conn())
        .await
        .map(|_| ())
}

/// An id for a new organisation.
pub fn new_id() -> OrganisationId {
    OrganisationId(Uuid::now_v7())
}
