//! Connections and whether they send, as pages show them.

use super::super::time_format;
use crate::{
    db::{gateways::GatewayRow, organisations::OrganisationRow},
    domain::view::{
        connection::{ConnectionHealth, ConnectionState},
        connections::Sending,
    },
};
use jiff::tz::TimeZone;

/// `Juspay (acme)`: how people know a connection.
pub(in crate::ops) fn gateway_name(gateway: &GatewayRow) -> String {
    let mut letters = gateway.connector.chars();
    let name: String = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    format!("{name} ({})", gateway.merchant_id)
}

/// Whether a connection sends.
pub(in crate::ops) fn sending(row: &GatewayRow, zone: &TimeZone) -> Sending {
    if row.sending {
        return Sending::On;
    }
    stopped(row.stopped_at, row.stopped_reason.as_deref(), row.paused_by.as_deref(), zone)
}

/// Whether an organisation sends.
pub(in crate::ops) fn organisation_sending(row: &OrganisationRow, zone: &TimeZone) -> Sending {
    if row.sending {
        return Sending::On;
    }
    stopped(row.stopped_at, row.stopped_reason.as_deref(), row.paused_by.as_deref(), zone)
}

fn stopped(at: Option<time::OffsetDateTime>, reason: Option<&str>, by: Option<&str>, zone: &TimeZone) -> Sending {
    let since = time_format::display_time(at.unwrap_or(time::OffsetDateTime::UNIX_EPOCH), zone);
    let reason = reason.unwrap_or("Sending is switched off.").to_owned();
    match by {
        Some(by) => Sending::Paused { by: by.to_owned(), since, reason },
        None => Sending::Stopped { since, reason },
    }
}

/// Why nothing is sent for the whole organisation, in sentences; none while something is.
pub(in crate::ops) fn organisation_notice(organisation: &OrganisationRow, zone: &TimeZone) -> Option<String> {
    let name = &organisation.reference.name;
    match organisation_sending(organisation, zone) {
        Sending::On => None,
        Sending::Paused { by, since, reason } => Some(format!(
            "{by} paused all sending of {name} since {}: “{reason}” An administrator resumes it in Settings.",
            since.text
        )),
        Sending::Stopped { since, reason } => Some(format!(
            "Batchdesk itself stopped all sending of {name} since {}. {reason} An administrator looks into it and \
             resumes in Settings.",
            since.text
        )),
    }
}

/// Why nothing is sent to a connection, in sentences; none while something is.
pub(in crate::ops) fn gateway_notice(gateway: &GatewayRow, zone: &TimeZone) -> Option<String> {
    let name = gateway_name(gateway);
    match sending(gateway, zone) {
        Sending::On => None,
        Sending::Paused { by, since, reason } => Some(format!(
            "{by} paused the connection {name} since {}: “{reason}” An administrator resumes it in Settings.",
            since.text
        )),
        Sending::Stopped { since, reason } => {
            let since = since.text;
            let what = match reason.trim_end_matches('.').split_once(" (") {
                Some((what, detail)) => format!("{what} since {since} ({detail}."),
                None => format!("{} since {since}.", reason.trim_end_matches('.')),
            };
            Some(format!(
                "{what} Nothing is sent to {name}. An administrator corrects the connection in Settings and resumes it."
            ))
        }
    }
}

/// How fast a batch goes, what limits it, and how long it will take.
pub(in crate::ops) fn pace(health: &ConnectionHealth) -> String {
    let left = match health.eta.as_str() {
        "" => None,
        why if why.ends_with('.') => Some(why.to_owned()),
        about if health.rate.is_empty() => Some(format!("{about} left.")),
        about => Some(format!("{about} left at {}.", health.rate)),
    };
    let away = match &health.state {
        ConnectionState::Paused { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    let limit = left.is_some().then(|| format!("Limit: {}.", health.limit));
    [left, away, limit].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_estimated_is_not_dressed_as_a_figure() {
        let health = |eta: &str, rate: &str| ConnectionHealth {
            name: "Juspay (acme)".to_owned(),
            state: ConnectionState::Working,
            finished_in_a_minute: 0,
            rate: rate.to_owned(),
            limit: "5 requests a second, 8 calls at once".to_owned(),
            workers: 1,
            eta: eta.to_owned(),
        };
        assert_eq!(
            pace(&health("About 3 minutes", "5.6 a second")),
            "About 3 minutes left at 5.6 a second. Limit: 5 requests a second, 8 calls at once."
        );
        let none = "No estimate: the gateway does not answer now.";
        assert_eq!(pace(&health(none, "5.6 a second")), format!("{none} Limit: 5 requests a second, 8 calls at once."));
        assert_eq!(pace(&health("", "5.6 a second")), "");
    }
}
