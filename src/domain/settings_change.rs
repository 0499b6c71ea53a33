//! Changes of settings, and which of them are not one person's: those that weaken a control, or say where money and
//! data go.

use super::{access::Module, connection_limits::ConnectionLimits, ids::GatewayId, money::group, operation::Operation};
use serde::{Deserialize, Serialize};

/// A setting as it is, or as it is to be. Secrets are not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Change {
    /// Whether a second person decides.
    Approval {
        /// On what.
        operation: Operation,
        /// Whether one does.
        needed: bool,
    },
    /// Limits of files and of waiting.
    Limits {
        /// Data rows of a file.
        row_limit: u32,
        /// Days that a batch waits for a decision.
        approval_days: u32,
    },
    /// Where synchronised orders are sent.
    External {
        /// Its address.
        url: String,
        /// Whether anything is sent there.
        enabled: bool,
        /// Whether the secret is another.
        new_secret: bool,
    },
    /// One more account.
    ConnectionAdded {
        /// Its id.
        id: GatewayId,
        /// Its name.
        name: String,
        /// Name of the connector.
        connector: String,
        /// Where it answers.
        base_url: String,
        /// The merchant's id there.
        merchant_id: String,
        /// Whether it moves no real money.
        sandbox: bool,
        /// Whether nothing answered when it was tried.
        untested: bool,
    },
    /// The account behind a connection.
    ConnectionAccount {
        /// Which connection.
        id: GatewayId,
        /// Its name.
        name: String,
        /// Where it answers.
        base_url: String,
        /// The merchant's id there.
        merchant_id: String,
        /// Whether the key is another.
        new_key: bool,
        /// Whether nothing answered when it was tried.
        untested: bool,
    },
    /// The connection of new batches.
    ConnectionChosen {
        /// Which.
        id: GatewayId,
        /// Its name.
        name: String,
    },
    /// What a connection may be asked at most.
    ConnectionLimits {
        /// Which connection.
        id: GatewayId,
        /// Its name.
        name: String,
        /// Calls at once.
        concurrency: Option<u32>,
        /// Requests a second.
        rate: Option<u32>,
        /// Requests at once after a rest.
        burst: Option<u32>,
    },
}

/// One field of a change: what it is called, what it is, and what it is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// `Rows per file`.
    pub label: &'static str,
    /// Empty where there is nothing yet.
    pub was: String,
    /// As it is to be.
    pub becomes: String,
}

impl Change {
    /// The word of its kind, as it is stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Approval { .. } => "approval",
            Self::Limits { .. } => "limits",
            Self::External { .. } => "external",
            Self::ConnectionAdded { .. } => "connection_added",
            Self::ConnectionAccount { .. } => "connection_account",
            Self::ConnectionChosen { .. } => "connection_chosen",
            Self::ConnectionLimits { .. } => "connection_limits",
        }
    }

    /// What it is about: of one thing one change may wait.
    pub fn object(&self) -> String {
        match self {
            Self::Approval { operation, .. } => operation.code().to_owned(),
            Self::Limits { .. } | Self::External { .. } | Self::ConnectionChosen { .. } => String::new(),
            // Another id each time: the account is what must not be asked for twice.
            Self::ConnectionAdded { connector, merchant_id, sandbox, .. } => {
                format!("{connector} {merchant_id} {sandbox}")
            }
            Self::ConnectionAccount { id, .. } | Self::ConnectionLimits { id, .. } => id.to_string(),
        }
    }

    /// Whose checkers are told of it; none: those of every module.
    pub const fn module(&self) -> Option<Module> {
        match self {
            Self::Approval { operation, .. } => Some(operation.module()),
            Self::External { .. } => Some(Module::Orders),
            _ => None,
        }
    }

    /// The change in one sentence.
    pub fn summary(&self) -> String {
        match self {
            Self::Approval { operation, needed: true } => format!("Turn on approvals of {}.", operation.labels().title),
            Self::Approval { operation, needed: false } => {
                format!("Turn off approvals of {}.", operation.labels().title)
            }
            Self::Limits { row_limit, approval_days } => {
                let rows = group((*row_limit).into(), true);
                format!("Set the limits to {rows} rows per file and {approval_days} days to decide.")
            }
            Self::External { url, enabled: true, .. } => format!("Send each synchronised order to {url}."),
            Self::External { url, enabled: false, .. } => format!("Set the external system to {url}, switched off."),
            Self::ConnectionAdded { name, base_url, .. } => format!("Add the gateway connection {name} at {base_url}."),
            Self::ConnectionAccount { name, base_url, merchant_id, .. } => {
                format!("Change the account of {name} to the merchant {merchant_id} at {base_url}.")
            }
            Self::ConnectionChosen { name, .. } => format!("Use {name} for new batches."),
            Self::ConnectionLimits { name, .. } => format!("Change the limits of {name}."),
        }
    }

    /// What follows from it, in plain words.
    pub const fn consequence(&self) -> &'static str {
        match self {
            Self::Approval { operation, .. } => operation.labels().unapproved,
            Self::Limits { .. } => LIMITS_RAISED,
            Self::External { .. } => ORDERS_SENT,
            Self::ConnectionAdded { .. } => ACCOUNT_ADDED,
            Self::ConnectionAccount { .. } => ACCOUNT_CHANGED,
            Self::ConnectionChosen { .. } => ACCOUNT_CHOSEN,
            Self::ConnectionLimits { .. } => RATE_RAISED,
        }
    }

    /// Whether a control is weaker after it, or money or data go elsewhere. What is stricter, or stops something, is
    /// not.
    pub fn weakens(&self, was: Option<&Self>) -> bool {
        match (self, was) {
            (Self::Approval { needed, .. }, Some(Self::Approval { needed: before, .. })) => *before && !needed,
            (
                Self::Limits { row_limit, approval_days },
                Some(Self::Limits { row_limit: rows, approval_days: days }),
            ) => row_limit > rows || approval_days > days,
            (Self::External { url, enabled, new_secret }, Some(Self::External { url: before, enabled: sent, .. })) => {
                url != before || *new_secret || (*enabled && !sent)
            }
            (Self::ConnectionChosen { id, .. }, Some(Self::ConnectionChosen { id: before, .. })) => id != before,
            (
                Self::ConnectionLimits { concurrency, rate, burst, .. },
                Some(Self::ConnectionLimits { concurrency: calls, rate: a_second, burst: in_a_row, .. }),
            ) => {
                // Without a number there is no limit; without a burst requests are evenly spaced.
                let more = |now: Option<u32>, before: Option<u32>| match (now, before) {
                    (Some(now), Some(before)) => now > before,
                    (None, Some(_)) => true,
                    (_, None) => false,
                };
                more(*concurrency, *calls) || more(*rate, *a_second) || burst.unwrap_or(0) > in_a_row.unwrap_or(0)
            }
            (
                Self::ConnectionAccount { base_url, merchant_id, new_key, .. },
                Some(Self::ConnectionAccount { base_url: address, merchant_id: merchant, .. }),
            ) => *new_key || (base_url, merchant_id) != (address, merchant),
            // There was nothing before.
            _ => true,
        }
    }

    /// Its fields, from what they are to what they are to be.
    pub fn lines(&self, was: Option<&Self>) -> Vec<Line> {
        let before = was.map(Self::fields).unwrap_or_default();
        let old = |label: &str| {
            before.iter().find(|(name, _)| *name == label).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        self.fields()
            .into_iter()
            .map(|(label, becomes)| Line { label, was: old(label), becomes })
            .filter(|line| line.was != line.becomes)
            .collect()
    }

    fn fields(&self) -> Vec<(&'static str, String)> {
        let yes = |yes: bool| if yes { "Yes" } else { "No" }.to_owned();
        let limit = |limit: Option<u32>| limit.map_or_else(|| "No limit".to_owned(), |limit| limit.to_string());
        match self {
            Self::Approval { needed, .. } => vec![("A second person approves", yes(*needed))],
            Self::Limits { row_limit, approval_days } => {
                vec![("Rows per file", group((*row_limit).into(), true)), ("Days to decide", approval_days.to_string())]
            }
            Self::External { url, enabled, new_secret } => {
                let mut fields = vec![("Address", url.clone()), ("Orders are sent", yes(*enabled))];
                if *new_secret {
                    fields.push(("Signing secret", "A new one".to_owned()));
                }
                fields
            }
            Self::ConnectionAdded { connector, base_url, merchant_id, sandbox, untested, .. } => vec![
                ("Gateway", connector.clone()),
                ("Address", base_url.clone()),
                ("Merchant id", merchant_id.clone()),
                ("Sandbox", yes(*sandbox)),
                ("Tested", yes(!*untested)),
            ],
            Self::ConnectionAccount { base_url, merchant_id, new_key, untested, .. } => {
                let mut fields = vec![("Address", base_url.clone()), ("Merchant id", merchant_id.clone())];
                if *new_key {
                    fields.push(("API key", "A new one".to_owned()));
                }
                if *untested {
                    fields.push(("Tested", yes(false)));
                }
                fields
            }
            Self::ConnectionChosen { name, .. } => vec![("New batches use", name.clone())],
            Self::ConnectionLimits { concurrency, rate, burst, .. } => vec![
                ("Concurrent calls", concurrency.map_or_else(|| "Operator's default".to_owned(), |n| n.to_string())),
                ("Requests a second", limit(*rate)),
                ("Burst", burst.map_or_else(|| "Evenly spaced".to_owned(), |n| n.to_string())),
            ],
        }
    }
}

/// What a higher limit means.
pub const LIMITS_RAISED: &str =
    "A higher limit lets one file move more money, or lets a request wait longer for its decision.";
/// What another external system means.
pub const ORDERS_SENT: &str = "Every synchronised order will be sent to this address, with its amounts and refunds.";
/// What another account means.
pub const ACCOUNT_ADDED: &str = "Refunds are paid from this account once it is used for new batches.";
/// What another address, merchant or key means.
pub const ACCOUNT_CHANGED: &str =
    "Refunds on this connection will be sent to the address and paid from the account named here.";
/// What another connection for new batches means.
pub const ACCOUNT_CHOSEN: &str = "Every new batch will be paid from this account.";
/// What a higher limit of a connection means.
pub const RATE_RAISED: &str = "A higher limit sends refunds faster, so that less can be stopped in time.";

impl Change {
    /// The limits of a connection that it sets.
    pub const fn connection_limits(&self) -> Option<ConnectionLimits> {
        match self {
            Self::ConnectionLimits { concurrency, rate, burst, .. } => {
                Some(ConnectionLimits { concurrency: *concurrency, rate: *rate, burst: *burst })
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stricter_is_one_persons_and_what_is_weaker_is_not() {
        let approval = |needed| Change::Approval { operation: Operation::Refund, needed };
        let limits = |row_limit, approval_days| Change::Limits { row_limit, approval_days };
        let external = |url: &str, enabled, new_secret| Change::External { url: url.to_owned(), enabled, new_secret };
        let id = GatewayId(uuid::Uuid::nil());
        let rates =
            |concurrency, rate, burst| Change::ConnectionLimits { id, name: String::new(), concurrency, rate, burst };
        for (was, now, weaker) in [
            (approval(true), approval(false), true),
            (approval(false), approval(true), false),
            (approval(false), approval(false), false),
            (limits(1_000, 7), limits(1_001, 7), true),
            (limits(1_000, 7), limits(1, 8), true),
            (limits(1_000, 7), limits(999, 7), false),
            (external("a", true, false), external("b", true, false), true),
            (external("a", true, false), external("a", false, false), false),
            (external("a", false, false), external("a", true, false), true),
            (external("a", true, false), external("a", true, true), true),
            (rates(Some(4), None, None), rates(None, None, None), true),
            (rates(Some(4), None, None), rates(Some(5), None, None), true),
            (rates(None, None, None), rates(Some(5), Some(9), None), false),
            (rates(None, Some(9), None), rates(None, None, None), true),
            (rates(None, Some(9), None), rates(None, Some(9), Some(2)), true),
            (rates(None, Some(9), Some(2)), rates(None, Some(8), None), false),
        ] {
            assert_eq!(now.weakens(Some(&was)), weaker, "{was:?} -> {now:?}");
        }
        assert!(external("a", false, true).weakens(None));
    }
}
